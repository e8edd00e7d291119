// What do the workloads cost as Go's own goroutines?
//
// A child process of the benchmark driver: WORKLOAD WORKERS OPS, with GOMAXPROCS set; it prints one
// line, VALUE PEAK_RSS_KIB [KEY=VALUE ..], or - REASON. The shapes repeat those of ../../src/shape.rs.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	batch    = 1000
	yielders = 1000
	sleeps   = 10
	block    = 10 * time.Millisecond
	period   = 10 * time.Millisecond
)

var workloads = map[string]func(workers, ops int) string{
	"spawn_join":         func(_, ops int) string { return spawnBatches(ops) },
	"spawn_wg":           func(_, ops int) string { return spawnBatches(ops) },
	"spawn_burst":        func(_, ops int) string { return spawnBurst(ops) },
	"yield2":             func(_, ops int) string { return yields(2, ops) },
	"yield1000":          func(_, ops int) string { return yields(yielders, ops) },
	"pingpong_unbuf":     func(_, ops int) string { return pingpong(0, ops) },
	"pingpong_cap1":      func(_, ops int) string { return pingpong(1, ops) },
	"chan_buf":           func(_, ops int) string { return items(1, ops) },
	"chan_buf4x4":        func(_, ops int) string { return items(sides, ops) },
	"chan_unb":           func(_, _ int) string { return "- has no unbounded channel" },
	"select_buf":         func(_, ops int) string { return selecting(capacity, ops) },
	"select_cap1":        func(_, ops int) string { return selecting(1, ops) },
	"select_unbuf":       func(_, ops int) string { return selecting(0, ops) },
	"ring_unbuf":         func(_, ops int) string { return ring(ops) },
	"sieve_unbuf":        func(_, ops int) string { return sieve(ops) },
	"skynet":             func(_, ops int) string { return skynet(ops) },
	"mutex1":             func(_, ops int) string { return mutex(1, ops) },
	"mutex":              func(_, ops int) string { return mutex(lockers, ops) },
	"rwlock":             func(_, ops int) string { return rwlock(ops) },
	"waitgroup":          func(_, ops int) string { return waitgroup(ops) },
	"timers_rand":        func(_, ops int) string { return timersRand(ops) },
	"timers_1ms":         func(_, ops int) string { return timers1ms(ops) },
	"sleep1us":           func(_, ops int) string { return sleep1us(ops) },
	"mem_queued":         func(_, ops int) string { return memQueued(ops) },
	"mem_parked_100k":    func(_, ops int) string { return memParked(ops) },
	"mem_parked_1m":      func(_, ops int) string { return memParked(ops) },
	"hog":                hogs,
	"blocking":           func(_, ops int) string { return blocking(ops) },
	"blocking_announced": func(_, ops int) string { return blocking(ops) },
}

func main() {
	if len(os.Args) != 4 {
		fail("three arguments: WORKLOAD WORKERS OPS; got %v", os.Args[1:])
	}
	workers, err := strconv.Atoi(os.Args[2])
	if err != nil || workers != runtime.GOMAXPROCS(0) {
		fail("WORKERS %q differs from GOMAXPROCS %d", os.Args[2], runtime.GOMAXPROCS(0))
	}
	ops, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fail("OPS %q is not a number", os.Args[3])
	}
	serveForever(os.Args[1])
	workload, known := workloads[os.Args[1]]
	if !known {
		fmt.Println("- not in this peer")
		return
	}
	fmt.Println(workload(workers, ops))
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func outcome(value float64) string {
	return fmt.Sprintf("%.3f %d", value, statusKiB("VmHWM:"))
}

func perOp(start time.Time, ops int) string {
	return outcome(float64(time.Since(start).Nanoseconds()) / float64(ops))
}

func millis(start time.Time) string { return outcome(asMillis(time.Since(start))) }

func asMillis(d time.Duration) float64 { return d.Seconds() * 1e3 }

func statusKiB(key string) int {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if rest, found := strings.CutPrefix(line, key); found {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib
		}
	}
	return 0
}

func residentKiB() int { return statusKiB("VmRSS:") + statusKiB("VmPTE:") }

func countedBatch(tasks int) {
	var wg sync.WaitGroup
	wg.Add(tasks)
	for i := 0; i < tasks; i++ {
		go wg.Done()
	}
	wg.Wait()
}

// spawnBatches serves spawn_join too: a WaitGroup is what Go has for a join.
func spawnBatches(ops int) string {
	batches := (ops + batch - 1) / batch
	countedBatch(batch)
	start := time.Now()
	for i := 0; i < batches; i++ {
		countedBatch(batch)
	}
	return perOp(start, batches*batch)
}

func spawnBurst(ops int) string {
	start := time.Now()
	countedBatch(ops)
	return perOp(start, ops)
}

func yields(tasks, ops int) string {
	each := ops / tasks
	start := time.Now()
	var wg sync.WaitGroup
	wg.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			for i := 0; i < each; i++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	return perOp(start, each*tasks)
}

func timersRand(ops int) string {
	start := time.Now()
	var wg sync.WaitGroup
	wg.Add(ops)
	for id := 0; id < ops; id++ {
		mixed := uint64(id+1) * 0x9E3779B97F4A7C15
		pause := time.Duration(1+(mixed>>32)%1000) * time.Millisecond
		go func() {
			time.Sleep(pause)
			wg.Done()
		}()
	}
	wg.Wait()
	return millis(start)
}

func timers1ms(ops int) string {
	start := time.Now()
	var wg sync.WaitGroup
	wg.Add(ops)
	for i := 0; i < ops; i++ {
		go func() {
			for i := 0; i < sleeps; i++ {
				time.Sleep(time.Millisecond)
			}
			wg.Done()
		}()
	}
	wg.Wait()
	return millis(start)
}

func sleep1us(ops int) string {
	start := time.Now()
	for i := 0; i < ops; i++ {
		time.Sleep(time.Microsecond)
	}
	return outcome(time.Since(start).Seconds() * 1e6 / float64(ops))
}

var arrived atomic.Int64

func bytesPer(beforeKiB, ops int) float64 {
	return float64(max(residentKiB()-beforeKiB, 0)) * 1024 / float64(ops)
}

func memQueued(ops int) string {
	before := residentKiB()
	for i := 0; i < ops; i++ {
		go arrived.Add(1)
	}
	return outcome(bytesPer(before, ops)) + fmt.Sprintf(" started=%d", arrived.Load())
}

func memParked(ops int) string {
	gate := make(chan struct{})
	before, start := residentKiB(), time.Now()
	for i := 0; i < ops; i++ {
		go func() {
			arrived.Add(1)
			<-gate
		}()
	}
	for arrived.Load() != int64(ops) {
		time.Sleep(time.Millisecond)
	}
	spawn := asMillis(time.Since(start))
	answer := outcome(bytesPer(before, ops))
	return answer + fmt.Sprintf(" spawn_ms=%.3f tasks=%d", spawn, ops)
}

var sink atomic.Uint64

func hog(end time.Time) {
	x := uint64(1)
	for time.Now().Before(end) {
		for i := 0; i < 1000; i++ {
			x = x*6364136223846793005 + 1
		}
	}
	sink.Store(x)
}

func hogs(workers, ops int) string {
	start := time.Now()
	end := start.Add(time.Duration(ops) * time.Millisecond)
	done := make(chan string)
	go func() {
		count, last, gap := 0, start, time.Duration(0)
		for {
			now := time.Now()
			due := start.Add(period * (now.Sub(start)/period + 1))
			if !due.Before(end) {
				break
			}
			time.Sleep(due.Sub(now))
			now = time.Now()
			gap, last = max(gap, now.Sub(last)), now
			if now.Before(end) {
				count++
			}
		}
		gap = max(gap, end.Sub(last))
		ticks := float64(count*200) / (float64(end.Sub(start)) / float64(period))
		done <- outcome(ticks) + fmt.Sprintf(" gap_ms=%.3f", asMillis(gap))
	}()
	for i := 0; i < workers; i++ {
		go hog(end)
	}
	return <-done
}

// blocking sleeps in a system call, since time.Sleep would not block the thread.
func blocking(ops int) string {
	start := time.Now()
	var wg sync.WaitGroup
	wg.Add(ops)
	for i := 0; i < ops; i++ {
		go func() {
			for i := 0; i < sleeps; i++ {
				pause := syscall.NsecToTimespec(block.Nanoseconds())
				for syscall.Nanosleep(&pause, &pause) == syscall.EINTR {
				}
			}
			wg.Done()
		}()
	}
	wg.Wait()
	return millis(start)
}
