// What does a server cost whose connections are goroutines of Go's?
package main

import (
	"fmt"
	"net"
	"os"
	"strings"
)

const echoBuffer = 512

func isServer(workload string) bool { return strings.HasPrefix(workload, "tcp_echo_") }

// tcpEcho says where it listens, and serves until it is killed.
func tcpEcho() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	fmt.Fprintln(os.Stdout, listener.Addr().(*net.TCPAddr).Port)
	for {
		conn, err := listener.Accept()
		if err != nil {
			fail("%v", err)
		}
		go func() {
			var buf [echoBuffer]byte
			for {
				count, err := conn.Read(buf[:])
				if err != nil {
					conn.Close()
					return
				}
				if _, err := conn.Write(buf[:count]); err != nil {
					conn.Close()
					return
				}
			}
		}()
	}
}
