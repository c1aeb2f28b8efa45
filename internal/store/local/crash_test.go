package local_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/store/storetest"
)

// childEnv makes the test binary a process that appends to the folder until it is killed.
const childEnv = "SEINE_STORE_TEST_CHILD"

const (
	crashOrigins = 4
	crashRows    = 20
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(appendForever(dir))
	}
	os.Exit(m.Run())
}

// crashConfig makes files, merged files and segments come and go all the time.
var crashConfig = local.Config{FlushRows: 150}

// appendForever appends batches of several origins at a time and prints each that was acknowledged. The sequence number
// is in each row, as ct_zone, and the origin as node.
func appendForever(dir string) int {
	config := crashConfig
	config.Dir = dir
	s, err := local.Open(config, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		for {
			_ = s.Maintain(context.Background())
		}
	}()
	first, _ := strconv.Atoi(os.Getenv(childEnv + "_FIRST"))
	var mu sync.Mutex
	var group sync.WaitGroup
	for origin := range crashOrigins {
		group.Go(func() {
			for sequence := first; ; sequence++ {
				err := s.Append(context.Background(), crashBatch(origin, sequence))
				if err != nil && !errors.Is(err, store.ErrRepeated) {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				mu.Lock()
				fmt.Println(origin, sequence)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return 1
}

func crashBatch(origin, sequence int) store.Batch {
	records := querytest.RandomRecords(uint64(sequence), crashRows)
	for i := range records {
		records[i].Node, records[i].Zone = originName(origin), uint16(sequence)
		records[i].Start = records[i].End
	}
	return store.Batch{
		Dataset: "flows", Origin: originName(origin), Sequence: uint64(sequence), Rows: storetest.NewBatch(records),
	}
}

func originName(origin int) string { return fmt.Sprintf("origin-%d", origin) }

// batchID is an origin and a sequence number.
type batchID struct{ origin, sequence int }

// Whenever the process is killed, what it acknowledged is there, and nothing is there twice.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := make(map[batchID]bool)
	random := rand.New(rand.NewPCG(1, 2))
	next := 1
	for round := range rounds {
		for id := range runUntilKilled(t, dir, next, time.Duration(20+random.IntN(150))*time.Millisecond) {
			acknowledged[id] = true
			next = max(next, id.sequence+2) // One more may have been written without being acknowledged.
		}
		s := mustOpen(t, dir, crashConfig)
		checkFound(t, countBatches(t, s), acknowledged)
		if notes := s.Stats().Notes; len(notes) > 0 {
			t.Errorf("notes: %v", notes)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	if len(acknowledged) < 2*rounds {
		t.Errorf("only %d batches were acknowledged, which proves little", len(acknowledged))
	}
}

// runUntilKilled runs a child for a time and returns what it acknowledged.
func runUntilKilled(t *testing.T, dir string, first int, after time.Duration) map[batchID]bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, fmt.Sprintf("%s_FIRST=%d", childEnv, first))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := make(map[batchID]bool)
	lines := bufio.NewScanner(out)
	timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	started := false
	for lines.Scan() {
		if !started { // The time counts from the first batch.
			started = true
			timer.Reset(after)
		}
		var origin, sequence int
		if n, _ := fmt.Sscan(lines.Text(), &origin, &sequence); n == 2 {
			acknowledged[batchID{origin, sequence}] = true
		}
	}
	_ = cmd.Wait() // It was killed.
	if !started {
		t.Error("the child acknowledged nothing in 10 s")
	}
	return acknowledged
}

// countBatches returns how many rows of each batch are found.
func countBatches(t *testing.T, s *local.Store) map[batchID]int64 {
	t.Helper()
	plan := &query.Plan{
		Dataset: "flows", To: flow.Time(querytest.Begin.Add(querytest.Span).UnixNano()),
		GroupBy:  []*flow.Field{field(t, "node"), field(t, "ct_zone")},
		Measures: []query.Measure{{Name: "count()", Aggregation: query.Count}},
	}
	block, _, err := storetest.Collect(s, plan)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[batchID]int64)
	for i := range block.Rows {
		var origin int
		if _, err := fmt.Sscanf(block.Columns[0].Texts[i], "origin-%d", &origin); err != nil {
			t.Fatal(err)
		}
		found[batchID{origin, int(block.Columns[1].Ints[i])}] = block.Columns[2].Ints[i]
	}
	return found
}

func field(t testing.TB, name string) *flow.Field {
	t.Helper()
	f, ok := flow.FieldByName(name)
	if !ok {
		t.Fatalf("no field %s", name)
	}
	return f
}

// checkFound wants each batch whole, and all that were acknowledged. Others may be there or not.
func checkFound(t *testing.T, found map[batchID]int64, acknowledged map[batchID]bool) {
	t.Helper()
	for id, rows := range found {
		if rows != crashRows {
			t.Errorf("batch %v has %d rows, want %d", id, rows, crashRows)
		}
	}
	for id := range acknowledged {
		if found[id] == 0 {
			t.Errorf("batch %v was acknowledged and is gone", id)
		}
	}
}
