// The admin clients of sarama and franz-go (kadm): what each call answers, one line each.
// usage: admin sarama|kadm BOOTSTRAP
package main

import (
	"fmt"
	"os"
	"runtime/debug"
)

var checks int

// say prints one call and what it answers.
func say(call string, answer any, err error) {
	checks++
	if err != nil {
		answer = "error: " + err.Error()
	}
	fmt.Printf("%s | %v\n", call, answer)
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
	client, bootstrap := os.Args[1], os.Args[2]
	switch client {
	case "sarama":
		useSarama(bootstrap)
		fmt.Printf("OK sarama %s checks=%d\n", version("github.com/IBM/sarama"), checks)
	case "kadm":
		useKadm(bootstrap)
		fmt.Printf("OK kadm %s checks=%d\n", version("github.com/twmb/franz-go/pkg/kadm"), checks)
	default:
		panic("which client? sarama or kadm")
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
