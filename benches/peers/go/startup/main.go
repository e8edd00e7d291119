// What does an empty Go program cost, from fork to the end of wait?
package main

func main() {}
