// Command probe is what the lab's own tests run in pods: it serves its name
// over HTTP, fetches a page, looks a name up, keeps a file. One static program,
// so that its image needs no base.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) < 2 {
		return errors.New("usage: probe serve PORT | get URL | lookup NAME | keep FILE TEXT | show FILE")
	}
	switch verb, operand := arguments[0], arguments[1]; verb {
	case "serve":
		return serve(operand)
	case "get":
		return get(operand)
	case "lookup":
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		addresses, err := net.DefaultResolver.LookupHost(ctx, operand)
		fmt.Println(addresses)
		return err
	case "keep":
		return os.WriteFile(operand, []byte(arguments[2]), 0o644)
	case "show":
		content, err := os.ReadFile(operand)
		fmt.Println(string(content))
		return err
	default:
		return fmt.Errorf("unknown verb %q", verb)
	}
}

func serve(port string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              ":" + port,
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(answer, name)
		}),
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ended
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func get(url string) error {
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	fmt.Printf("%d %s\n", answer.StatusCode, body)
	return err
}
