// The Go SDK's dev server, run from an existing executable: a workflow in a first one, its result asked for in a second one.
// Arguments: the executable and, to keep what the first one did, a database file.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const queue = "local-environment"

func Greet(_ context.Context, name string) (string, error) { return "hello " + name, nil }

func Greeting(ctx workflow.Context, name string) (out string, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	err = workflow.ExecuteActivity(ctx, Greet, name).Get(ctx, &out)
	return
}

// The environment's server is to end well when it is stopped: its exit code is part of the test.
func within(executable, file string, work func(context.Context, client.Client) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	server, err := testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
		ExistingPath:     executable,
		DBFilename:       file,
		EnableUI:         true,
		SearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyKeyword("Word").ValueSet("")),
	})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := errors.Join(work(ctx, server.Client()), server.Stop()); err != nil {
		return err
	}
	return nil
}

func first(ctx context.Context, c client.Client) error {
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflow(Greeting)
	w.RegisterActivity(Greet)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "w", TaskQueue: queue}, Greeting, "local")
	if err != nil {
		return err
	}
	var out string
	err = run.Get(ctx, &out)
	fmt.Println("first:", out)
	return err
}

func second(ctx context.Context, c client.Client) error {
	var out string
	err := c.GetWorkflow(ctx, "w", "").Get(ctx, &out)
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		out, err = "not found", nil
	}
	fmt.Println("second:", out)
	return err
}

func main() {
	executable, file := os.Args[1], ""
	if len(os.Args) > 2 {
		file = os.Args[2]
	}
	if err := errors.Join(within(executable, file, first), within(executable, file, second)); err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
}
