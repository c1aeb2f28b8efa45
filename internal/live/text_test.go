package live

import (
	"testing"
	"time"
)

func TestFormats(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(formatCount(0), "0")
	f(formatCount(999), "999")
	f(formatCount(1000), "1,000")
	f(formatCount(1234567), "1,234,567")
	f(counted(0, "row"), "0 rows")
	f(counted(1, "row"), "1 row")
	f(counted(1000, "row"), "1,000 rows")
	f(shortCount(99_999), "99,999")
	f(shortCount(100_000), "100.0k")
	f(shortCount(999_949), "999.9k")
	f(shortCount(999_999), "1.0M")
	f(shortCount(1<<64-1), "18.4E")
	f(formatAge(999*time.Millisecond), "now")
	f(formatAge(59*time.Second), "59s")
	f(formatAge(61*time.Second), "1m01s")
	f(formatAge(25*time.Hour+3*time.Minute), "25h03m")
	f(formatShare(1), "100 %")
	f(formatShare(0.999999), "99.99 %")
	f(formatShare(0.5), "50 %")
	f(formatShare(0), "0 %")
	f(formatRate(0.4), "0 B/s")
	f(formatRate(1536), "1.5 KiB/s")
}

func TestShorten(t *testing.T) {
	f := func(text string, w int, want string) {
		t.Helper()
		got := shorten(text, w)
		if got != want || width(got) > w {
			t.Errorf("shorten(%q, %d) = %q, %d wide; want %q", text, w, got, width(got), want)
		}
	}
	f("shop/cart:80", 12, "shop/cart:80")
	f("10.244.1.7:40002", 9, "10…:40002")
	f("10.244.1.7:40002", 7, "10.…002")
	f("kube-system/kube-dns:53", 18, "kube-…/kube-dns:53")
	f("kube-system/kube-dns:53", 15, "…/kube-dns:53")
	f("kube-system/kube-dns:53", 12, "kube-dns:53")
	f("kube-system/kube-dns:53", 8, "kube…:53")
	f("shop/payments-7f9d8b6c5-6rd8p", 28, "…/payments-7f9d8b6c5-6rd8p")
	f("shop/payments-7f9d8b6c5-6rd8p", 24, "payments-7f9d8b6c5-6rd8p")
	f("shop/payments-7f9d8b6c5-6rd8p:8080", 21, "payments-7…6rd8p:8080")
	f("abc", 1, "…")
	f("abc", 0, "")
	f("数据库服务:5432", 10, "数据…:5432")
}

func TestShare(t *testing.T) {
	f := func(whole, brief [3]int, width int, want [3]int) {
		t.Helper()
		need := pathNeed{widths{whole[0], whole[1], whole[2]}, widths{brief[0], brief[1], brief[2]}}
		if got := need.share(width); got != want {
			t.Errorf("%v in %d: got %v, want %v", need, width, got, want)
		}
	}
	same := func(need [3]int, width int, want [3]int) { t.Helper(); f(need, need, width, want) }
	same([3]int{10, 10, 10}, 60, [3]int{10, 10, 10})
	same([3]int{30, 10, 40}, 56, [3]int{20, 10, 20})
	same([3]int{90, 90, 90}, 36, [3]int{10, 10, 10})
	same([3]int{90, 90, 90}, 3, [3]int{0, 0, 0})
	f([3]int{28, 16, 33}, [3]int{25, 13, 30}, 80, [3]int{27, 15, 32})
	f([3]int{28, 16, 33}, [3]int{25, 13, 30}, 90, [3]int{28, 16, 33})
}

func TestSparkline(t *testing.T) {
	r := row{newest: 20}
	for seq := uint32(1); seq <= 20; seq++ {
		if seq != 19 {
			r.activity.add(seq, uint64(seq), 0)
		}
	}
	r.activity.add(20, 20, 40)
	if got, want := sparkline(&r, 4), "▂▃ █"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.newest = 100
	if got, want := sparkline(&r, 4), "    "; got != want {
		t.Errorf("long after: got %q, want %q", got, want)
	}
}
