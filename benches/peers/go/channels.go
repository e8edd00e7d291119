// What do Go's channels and mutex cost?
package main

import (
	"sync"
	"time"
)

const (
	stages   = 1000
	capacity = 128
	sides    = 4
	lockers  = 8
	fanout   = 10
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

func mutex(ops int) string {
	each := ops / lockers
	start := time.Now()
	var mu sync.Mutex
	var wg sync.WaitGroup
	shared := 0
	wg.Add(lockers)
	for i := 0; i < lockers; i++ {
		go func() {
			for i := 0; i < each; i++ {
				mu.Lock()
				shared++
				mu.Unlock()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	if shared != each*lockers {
		fail("the mutex lost an addition: %d", shared)
	}
	return perOp(start, each*lockers)
}
