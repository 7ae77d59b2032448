// Workflows of the official Go SDK against a running server: each asserts its result and its history's event types.
// Prints one line a test, "ok NAME" or "FAILED NAME: why", and ends with 1 when any failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const queue = "go-suite"

var flakyAttempts atomic.Int32

func Echo(_ context.Context, s string) (string, error) { return s, nil }
func Flaky(_ context.Context) (int32, error) {
	if n := flakyAttempts.Add(1); n < 3 {
		return 0, fmt.Errorf("attempt %d", n)
	}
	return flakyAttempts.Load(), nil
}
func Beats(ctx context.Context) (int, error) {
	if activity.HasHeartbeatDetails(ctx) {
		var n int
		err := activity.GetHeartbeatDetails(ctx, &n)
		return n + 1, err
	}
	activity.RecordHeartbeat(ctx, 41)
	time.Sleep(1500 * time.Millisecond)
	return -1, nil
}

func opts(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second, HeartbeatTimeout: 500 * time.Millisecond,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 10 * time.Millisecond},
	})
}
func OneActivity(ctx workflow.Context, s string) (out string, err error) {
	err = workflow.ExecuteActivity(opts(ctx), Echo, s).Get(ctx, &out)
	return
}
func Retried(ctx workflow.Context) (n int32, err error) {
	err = workflow.ExecuteActivity(opts(ctx), Flaky).Get(ctx, &n)
	return
}
func Heartbeats(ctx workflow.Context) (n int, err error) {
	err = workflow.ExecuteActivity(opts(ctx), Beats).Get(ctx, &n)
	return
}
func Local(ctx workflow.Context) (out string, err error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: 5 * time.Second})
	err = workflow.ExecuteLocalActivity(ctx, Echo, "local").Get(ctx, &out)
	return
}
func Selector(ctx workflow.Context) (string, error) {
	timer, cancel := workflow.WithCancel(ctx)
	got := ""
	workflow.NewSelector(ctx).
		AddFuture(workflow.NewTimer(timer, time.Hour), func(workflow.Future) { got = "timer" }).
		AddReceive(workflow.GetSignalChannel(ctx, "go"), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &got) }).
		Select(ctx)
	cancel()
	return got, nil
}
func Counter(ctx workflow.Context) (int, error) {
	n := 0
	if err := workflow.SetQueryHandler(ctx, "n", func() (int, error) { return n, nil }); err != nil {
		return 0, err
	}
	for n < 3 {
		workflow.GetSignalChannel(ctx, "inc").Receive(ctx, nil)
		n++
	}
	return n, nil
}
func Parent(ctx workflow.Context) (string, error) {
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child"})
	var out string
	err := workflow.ExecuteChildWorkflow(ctx, OneActivity, "child").Get(ctx, &out)
	return out, err
}
func Continues(ctx workflow.Context, n int) (int, error) {
	if n > 0 {
		return 0, workflow.NewContinueAsNewError(ctx, Continues, n-1)
	}
	return 7, nil
}
func Versioned(ctx workflow.Context) (int, error) {
	v := workflow.GetVersion(ctx, "change", workflow.DefaultVersion, 2)
	var r int
	err := workflow.SideEffect(ctx, func(workflow.Context) any { return 5 }).Get(&r)
	return int(v) + r, err
}
func Cancelable(ctx workflow.Context) (string, error) {
	if err := workflow.Sleep(ctx, time.Hour); !temporal.IsCanceledError(err) {
		return "", err
	}
	clean, _ := workflow.NewDisconnectedContext(ctx)
	var out string
	err := workflow.ExecuteActivity(opts(clean), Echo, "cleaned").Get(clean, &out)
	return out, err
}
func Fails(workflow.Context) error { return temporal.NewNonRetryableApplicationError("no", "Typed", nil, 3) }

type test struct {
	name   string
	run    func(context.Context, client.Client, string) (string, error)
	result string
	events []enumspb.EventType
}

func simple(fn any, args ...any) func(context.Context, client.Client, string) (string, error) {
	return func(ctx context.Context, c client.Client, id string) (string, error) {
		run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: queue}, fn, args...)
		if err != nil {
			return "", err
		}
		var out any
		err = run.Get(ctx, &out)
		return fmt.Sprint(out), err
	}
}

func started(ctx context.Context, c client.Client, id string, fn any, then func(client.WorkflowRun) error) (string, error) {
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: queue}, fn)
	if err != nil {
		return "", err
	}
	if err := then(run); err != nil {
		return "", err
	}
	var out any
	err = run.Get(ctx, &out)
	return fmt.Sprint(out), err
}

const (
	tStarted   = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
	tCompleted = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
	aScheduled = enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
	aStarted   = enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED
	aCompleted = enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
	signaled   = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7233", "")
	flag.Parse()
	lg := tlog.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	c, err := client.Dial(client.Options{HostPort: *addr, Logger: lg})
	if err != nil {
		fmt.Println("FAILED dial:", err)
		os.Exit(1)
	}
	defer c.Close()
	w := worker.New(c, queue, worker.Options{})
	for _, f := range []any{OneActivity, Retried, Heartbeats, Local, Selector, Counter, Parent, Continues, Versioned, Cancelable, Fails} {
		w.RegisterWorkflow(f)
	}
	for _, f := range []any{Echo, Flaky, Beats} {
		w.RegisterActivity(f)
	}
	if err := w.Start(); err != nil {
		fmt.Println("FAILED worker:", err)
		os.Exit(1)
	}
	defer w.Stop()
	one := []enumspb.EventType{tStarted, aScheduled, aStarted, aCompleted, tCompleted}
	tests := []test{
		{"one activity", simple(OneActivity, "hi"), "hi", one},
		{"a retried activity leaves no trace", simple(Retried), "3", one},
		{"heartbeat details carry over", simple(Heartbeats), "42", one},
		{"a local activity is a marker", simple(Local), "local", []enumspb.EventType{tStarted, enumspb.EVENT_TYPE_MARKER_RECORDED, tCompleted}},
		{"a signal beats a timer", func(ctx context.Context, c client.Client, id string) (string, error) {
			return started(ctx, c, id, Selector, func(r client.WorkflowRun) error { return c.SignalWorkflow(ctx, id, "", "go", "signal") })
		}, "signal", nil},
		{"queries see each signal", func(ctx context.Context, c client.Client, id string) (string, error) {
			return started(ctx, c, id, Counter, func(r client.WorkflowRun) error {
				for i := 1; i <= 3; i++ {
					if err := c.SignalWorkflow(ctx, id, "", "inc", nil); err != nil {
						return err
					}
					v, err := c.QueryWorkflow(ctx, id, "", "n")
					if err != nil {
						return err
					}
					var n int
					if err := v.Get(&n); err != nil || n != i {
						return fmt.Errorf("query answered %d after %d signals (%v)", n, i, err)
					}
				}
				return nil
			})
		}, "3", []enumspb.EventType{tStarted, signaled, signaled, signaled, tCompleted}},
		{"a child's result", simple(Parent), "child", []enumspb.EventType{tStarted, enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED, tCompleted}},
		{"continue as new", simple(Continues, 1), "7", []enumspb.EventType{tStarted, tCompleted}},
		{"version and side effect", simple(Versioned), "7", nil},
		{"cleans up when canceled", func(ctx context.Context, c client.Client, id string) (string, error) {
			return started(ctx, c, id, Cancelable, func(client.WorkflowRun) error { return c.CancelWorkflow(ctx, id, "") })
		}, "cleaned", nil},
		{"a typed failure", func(ctx context.Context, c client.Client, id string) (string, error) {
			_, err := simple(Fails)(ctx, c, id)
			var app *temporal.ApplicationError
			if !errors.As(err, &app) {
				return "", fmt.Errorf("not an application error: %v", err)
			}
			return app.Type(), nil
		}, "Typed", []enumspb.EventType{tStarted, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED}},
	}
	bad := 0
	for i, t := range tests {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		id := fmt.Sprintf("go-%d-%d", time.Now().UnixNano(), i)
		got, err := t.run(ctx, c, id)
		if err == nil && got != t.result {
			err = fmt.Errorf("answered %q, not %q", got, t.result)
		}
		if err == nil && t.events != nil {
			var types []enumspb.EventType
			it := c.GetWorkflowHistory(ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for it.HasNext() {
				e, herr := it.Next()
				if herr != nil {
					err = herr
					break
				}
				if !strings.HasPrefix(e.EventType.String(), "WorkflowTask") {
					types = append(types, e.EventType)
				}
			}
			if err == nil && !slices.Equal(types, t.events) {
				err = fmt.Errorf("history is %v, not %v", types, t.events)
			}
		}
		cancel()
		if err != nil {
			bad++
			fmt.Printf("FAILED %s: %v\n", t.name, err)
		} else {
			fmt.Printf("ok %s\n", t.name)
		}
	}
	if bad > 0 {
		os.Exit(1)
	}
}
