// What do Go's channels and mutex cost?
package main

import (
	"runtime"
	"sync"
	"time"
)

const (
	stages   = 1000
	capacity = 128
	sides    = 4
	lockers  = 8
	fanout   = 10
	// Of so many locks one is for writing.
	writeEvery = 100
)

func pingpong(capacity, ops int) string {
	ping, pong := make(chan int, capacity), make(chan int, capacity)
	go func() {
		for i := range ping {
			pong <- i
		}
	}()
	start := time.Now()
	for i := 0; i < ops; i++ {
		ping <- i
		<-pong
	}
	return perOp(start, ops)
}

func items(sides, ops int) string {
	each := ops / sides
	channel := make(chan int, capacity)
	start := time.Now()
	var producers, consumers sync.WaitGroup
	producers.Add(sides)
	consumers.Add(sides)
	for i := 0; i < sides; i++ {
		go func() {
			for i := 0; i < each; i++ {
				channel <- i
			}
			producers.Done()
		}()
		go func() {
			for range channel {
			}
			consumers.Done()
		}()
	}
	producers.Wait()
	close(channel)
	consumers.Wait()
	return perOp(start, each*sides)
}

func ring(ops int) string {
	first := make(chan int)
	last := first
	for i := 1; i < stages; i++ {
		from, to := last, make(chan int)
		go func() {
			for token := range from {
				to <- token + 1
			}
		}()
		last = to
	}
	rounds := (ops + stages - 1) / stages
	start := time.Now()
	for token := 0; token < rounds; token++ {
		first <- token
		<-last
	}
	return perOp(start, rounds*stages)
}

func sieve(primes int) string {
	start := time.Now()
	upstream := make(chan int)
	go func(to chan<- int) {
		for n := 2; ; n++ {
			to <- n
		}
	}(upstream)
	for i := 0; i < primes; i++ {
		prime := <-upstream
		from, to := upstream, make(chan int)
		go func() {
			for n := range from {
				if n%prime != 0 {
					to <- n
				}
			}
		}()
		upstream = to
	}
	return millis(start)
}

func skynet(ops int) string {
	size := fanout
	for size*10 <= ops {
		size *= 10
	}
	start := time.Now()
	root := make(chan int)
	go node(root, 0, size)
	if sum := <-root; sum != size*(size-1)/2 {
		fail("skynet lost a leaf: %d", sum)
	}
	return millis(start)
}

func node(parent chan<- int, first, size int) {
	sum := first
	if size > 1 {
		children, part := make(chan int), size/fanout
		for child := 0; child < fanout; child++ {
			go node(children, first+child*part, part)
		}
		sum = 0
		for child := 0; child < fanout; child++ {
			sum += <-children
		}
	}
	parent <- sum
}

func mutex(lockers, ops int) string {
	each := ops / lockers
	start := time.Now()
	var mu sync.Mutex
	shared := 0
	inParallel(lockers, func() {
		for i := 0; i < each; i++ {
			mu.Lock()
			shared++
			mu.Unlock()
		}
	})
	if shared != each*lockers {
		fail("the mutex lost an addition: %d", shared)
	}
	return perOp(start, each*lockers)
}

func rwlock(ops int) string {
	each := ops / lockers
	start := time.Now()
	var mu sync.RWMutex
	shared := 0
	inParallel(lockers, func() {
		seen := 0
		for i := 0; i < each; i++ {
			if i%writeEvery == 0 {
				mu.Lock()
				shared++
				mu.Unlock()
			} else {
				mu.RLock()
				seen += shared
				mu.RUnlock()
			}
		}
		runtime.KeepAlive(seen)
	})
	if shared != (each+writeEvery-1)/writeEvery*lockers {
		fail("the lock lost an addition: %d", shared)
	}
	return perOp(start, each*lockers)
}

// Runs a function on as many goroutines and waits for them.
func inParallel(goroutines int, f func()) {
	var wg sync.WaitGroup
	wg.Add(goroutines)
	for i := 0; i < goroutines; i++ {
		go func() {
			f()
			wg.Done()
		}()
	}
	wg.Wait()
}

func waitgroup(ops int) string {
	var wg sync.WaitGroup
	start := time.Now()
	for i := 0; i < ops; i++ {
		wg.Add(1)
		go wg.Done()
		wg.Wait()
	}
	return perOp(start, ops)
}

func selecting(capacity, ops int) string {
	each := ops / sides
	var from [sides]chan int
	for i := range from {
		from[i] = make(chan int, capacity)
	}
	start := time.Now()
	for _, to := range from {
		go func() {
			for i := 0; i < each; i++ {
				to <- i
			}
		}()
	}
	for i := 0; i < each*sides; i++ {
		select {
		case <-from[0]:
		case <-from[1]:
		case <-from[2]:
		case <-from[3]:
		}
	}
	return perOp(start, each*sides)
}
