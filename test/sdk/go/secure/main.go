// The Go SDK over TLS with an API key, as the API reference connects: a workflow with an activity from its start to its result.
// Arguments: address, file of the authority to trust, namespace, API version. The key is in API_KEY.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func Greet(_ context.Context, name string) (string, error) { return "hello " + name, nil }

func Greeting(ctx workflow.Context, name string) (out string, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	err = workflow.ExecuteActivity(ctx, Greet, name).Get(ctx, &out)
	return
}

type versionHeader string

func (v versionHeader) GetHeaders(context.Context) (map[string]string, error) {
	return map[string]string{"temporal-api-version": string(v)}, nil
}

func run(address, ca, namespace, version string) error {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return errors.New("no certificate in " + ca)
	}
	c, err := client.Dial(client.Options{
		HostPort:          address,
		Namespace:         namespace,
		ConnectionOptions: client.ConnectionOptions{TLS: &tls.Config{RootCAs: roots}},
		Logger:            log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		Credentials:       client.NewAPIKeyStaticCredentials(os.Getenv("API_KEY")),
		HeadersProvider:   versionHeader(version),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	queue := "go-" + version
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(Greeting)
	w.RegisterActivity(Greet)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	started, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: queue, TaskQueue: queue}, Greeting, "Go")
	if err != nil {
		return err
	}
	var out string
	if err := started.Get(ctx, &out); err != nil {
		return err
	}
	fmt.Println(out)
	return nil
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
