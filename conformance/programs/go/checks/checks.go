// Package checks runs named checks, one at a time: a name comes in on standard input, a line with the verdict goes out.
//
// A verdict is "@@ ok" or "@@ failed WHY", line ends in the reason escaped. The end of standard input ends the program.
package checks

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"
)

const timeout = 60 * time.Second

// Check fails by returning an error, or by a panic of Must.
type Check func(ctx context.Context) error

// Compressions are the codecs that every client has.
var Compressions = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// Unique returns a name that no other check uses.
func Unique(prefix string) string {
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		panic(err)
	}
	return prefix + "-" + hex.EncodeToString(random)
}

// Same fails unless two values are printed alike.
func Same(what string, expected, got any) error {
	if fmt.Sprint(expected) != fmt.Sprint(got) {
		return fmt.Errorf("%s: expected %v, got %v", what, expected, got)
	}
	return nil
}

// Must returns a value, or ends the check with the error.
func Must[T any](value T, err error) T {
	NoError(err)
	return value
}

// NoError ends the check with an error, if there is one.
func NoError(err error) {
	if err != nil {
		panic(err)
	}
}

// Serve runs checks until standard input ends.
func Serve(all map[string]Check) {
	names := bufio.NewScanner(os.Stdin)
	for names.Scan() {
		name := names.Text()
		if name == "?" {
			var known []string
			for each := range all {
				known = append(known, each)
			}
			sort.Strings(known)
			fmt.Println("@@", strings.Join(known, " "))
			continue
		}
		if err := run(all[name]); err != nil {
			text := strings.ReplaceAll(err.Error(), "\\", "\\\\")
			fmt.Println("@@ failed", strings.ReplaceAll(text, "\n", "\\n"))
		} else {
			fmt.Println("@@ ok")
		}
	}
}

func run(check Check) error {
	if check == nil {
		return fmt.Errorf("no such check")
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if problem := recover(); problem != nil {
				done <- fmt.Errorf("%v", problem)
			}
		}()
		done <- check(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("not done after %s", timeout)
	}
}
