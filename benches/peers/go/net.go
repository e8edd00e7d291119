// What does a server cost whose connections are goroutines of Go's?
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

const (
	echoBuffer = 512
	httpBody   = "Hello, World!"
)

// serveForever does not return if the workload is one of a server.
func serveForever(workload string) {
	switch {
	case strings.HasPrefix(workload, "tcp_echo_"):
		tcpEcho(listen())
	case strings.HasPrefix(workload, "http_keepalive_"):
		httpKeepalive(listen())
	}
}

// listen says where.
func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail("%v", err)
	}
	fmt.Fprintln(os.Stdout, listener.Addr().(*net.TCPAddr).Port)
	return listener
}

// httpKeepalive serves until it is killed; net/http counts so short a body by itself.
func httpKeepalive(listener net.Listener) {
	answer := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, httpBody)
	}
	fail("%v", http.Serve(listener, http.HandlerFunc(answer)))
}

// tcpEcho serves until it is killed.
func tcpEcho(listener net.Listener) {
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
