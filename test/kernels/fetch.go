package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// keyring is that of the package debian-archive-keyring, which every Debian has.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// archive is a suite of the Debian archive for one architecture, and a folder in which apt works on it without touching
// this machine's own packages.
type archive struct {
	dir, suite, arch string
}

// unpacked is the folder with an unpacked kernel and busybox. It appears when it is whole.
func (a *archive) unpacked() string { return filepath.Join(a.dir, "root") }

// fetch downloads and unpacks what a kernel boots with, unless that was done before. Remove the folder to get a newer
// kernel of the suite.
func (a *archive) fetch(ctx context.Context) error {
	if _, err := os.Stat(a.unpacked()); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := a.open(ctx); err != nil {
		return err
	}
	image, err := a.newestKernel(ctx)
	if err != nil {
		return err
	}
	part := a.unpacked() + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return err
	}
	for _, name := range []string{image, "busybox-static"} {
		if err := a.unpack(ctx, name, part); err != nil {
			return err
		}
	}
	if err := indexModules(ctx, part); err != nil {
		return err
	}
	return os.Rename(part, a.unpacked())
}

// open makes apt's folders and reads the suite's list of packages.
func (a *archive) open(ctx context.Context) error {
	mirror, err := mirrorOf(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(a.dir, "lists", "partial"), 0o755); err != nil {
		return err
	}
	source := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror, a.suite)
	if err := os.WriteFile(filepath.Join(a.dir, "sources.list"), []byte(source), 0o644); err != nil {
		return err
	}
	_, err = command(ctx, "", "apt-get", a.options("update")...)
	return err
}

// options are apt's, before a command of its own.
func (a *archive) options(args ...string) []string {
	return append([]string{
		"-q", "-o", "Dir::Etc::SourceList=" + filepath.Join(a.dir, "sources.list"), "-o", "Dir::Etc::SourceParts=/dev/null",
		"-o", "Dir::State::Lists=" + filepath.Join(a.dir, "lists"), "-o", "Dir::State::Status=/dev/null",
		"-o", "Dir::Cache=" + a.dir, "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3",
		"-o", "APT::Architecture=" + a.arch, "-o", "APT::Architectures=" + a.arch,
	}, args...)
}

// mirrorOf returns the address of the Debian archive that this machine's own apt uses.
func mirrorOf(ctx context.Context) (string, error) {
	out, err := command(ctx, "", "apt-get", "indextargets", "--format", "$(CREATED_BY) $(LABEL) $(REPO_URI)")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "Packages" && words[1] == "Debian" {
			return words[2], nil
		}
	}
	return "", errors.New("apt knows no Debian archive on this machine: add one to its sources and run apt-get update")
}

// newestKernel returns the name of the suite's newest kernel package for virtual machines.
func (a *archive) newestKernel(ctx context.Context) (string, error) {
	pattern := "^linux-image-[0-9].*-cloud-" + a.arch + "$"
	out, err := command(ctx, "", "apt-cache", a.options("search", "--names-only", pattern)...)
	if err != nil {
		return "", err
	}
	var found []string
	for line := range strings.Lines(out) {
		found = append(found, strings.Fields(line)[0])
	}
	if len(found) == 0 {
		return "", fmt.Errorf("suite %s has no package that matches %s", a.suite, pattern)
	}
	return slices.MaxFunc(found, compareVersions), nil
}

var numbers = regexp.MustCompile(`[0-9]+`)

// compareVersions compares package names of one form by the numbers in them.
func compareVersions(a, b string) int {
	return slices.CompareFunc(numbers.FindAllString(a, -1), numbers.FindAllString(b, -1), func(x, y string) int {
		left, _ := strconv.Atoi(x)
		right, _ := strconv.Atoi(y)
		return cmp.Compare(left, right)
	})
}

// unpack downloads a package and unpacks it into a folder.
func (a *archive) unpack(ctx context.Context, name, into string) error {
	dir, err := os.MkdirTemp(a.dir, "deb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := command(ctx, dir, "apt-get", a.options("download", name)...); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("download %s: got files %v, want one", name, files)
	}
	_, err = command(ctx, "", "dpkg", "-x", files[0], into)
	return err
}

// indexModules expands compressed modules and writes the index that modprobe reads.
func indexModules(ctx context.Context, root string) error {
	// Since bookworm's successor the files are below /usr.
	if old, merged := filepath.Join(root, "lib"), filepath.Join(root, "usr/lib"); !exists(filepath.Join(old, "modules")) {
		if err := os.MkdirAll(old, 0o755); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(merged, "modules"), filepath.Join(old, "modules")); err != nil {
			return err
		}
	}
	release, err := releaseOf(root)
	if err != nil {
		return err
	}
	if _, err := command(ctx, root, "find", "lib/modules", "-name", "*.ko.xz", "-exec", "xz", "-d", "{}", "+"); err != nil {
		return err
	}
	_, err = command(ctx, "", "depmod", "-b", root, release)
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// releaseOf returns the kernel's release as uname tells it, which its folder of modules is named after.
func releaseOf(root string) (string, error) {
	found, err := filepath.Glob(filepath.Join(root, "lib/modules/*"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("find modules below %s: got %v, want one folder", root, found)
	}
	return filepath.Base(found[0]), nil
}

// command runs a program in a folder and returns its standard output.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = dir, &out, &errs, 5*time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run %s %s: %w: %s", name, strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}
