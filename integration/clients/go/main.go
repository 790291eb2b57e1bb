// Clients written in Go. usage: clients PROGRAM BOOTSTRAP [ARGUMENT ...]
//
//	sarama, kadm                            what each call of the admin client answers, one line each
//	sarama-group, segmentio-group TOPIC N   two members read N records of TOPIC
//	franz-chain MODE N                      three groups in a chain carry N values
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"sync/atomic"
)

var checks atomic.Int64

// say prints one call and what it answers.
func say(call string, answer any, err error) {
	checks.Add(1)
	if err != nil {
		answer = "error: " + err.Error()
	}
	fmt.Printf("%s | %v\n", call, answer)
}

// check ends the program unless ok.
func check(what string, ok bool, details ...any) {
	checks.Add(1)
	if !ok {
		fmt.Fprintln(os.Stderr, append([]any{"FAILED", what}, details...)...)
		os.Exit(1)
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func count(text string) int {
	number, err := strconv.Atoi(text)
	must(err)
	return number
}

func version(path string) string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == path {
			return module.Version
		}
	}
	return "unknown"
}

func main() {
	program, bootstrap, arguments := os.Args[1], os.Args[2], os.Args[3:]
	var module string
	switch program {
	case "sarama":
		module = "github.com/IBM/sarama"
		useSarama(bootstrap)
	case "kadm":
		module = "github.com/twmb/franz-go/pkg/kadm"
		useKadm(bootstrap)
	case "sarama-group":
		module = "github.com/IBM/sarama"
		readWithSarama(bootstrap, arguments[0], count(arguments[1]))
	case "segmentio-group":
		module = "github.com/segmentio/kafka-go"
		readWithSegmentio(bootstrap, arguments[0], count(arguments[1]))
	case "franz-chain":
		module = "github.com/twmb/franz-go"
		runChain(bootstrap, arguments[0], count(arguments[1]))
	default:
		panic("no program " + program)
	}
	fmt.Printf("OK %s %s checks=%d\n", program, version(module), checks.Load())
}
