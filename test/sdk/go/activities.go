// Activities: attempts, heartbeats, cancellations, and what others complete.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

var flakyAttempts atomic.Int32

// Task tokens of the activities that somebody else completes, by workflow id.
var tokens sync.Map

func Echo(_ context.Context, s string) (string, error) { return s, nil }

func Flaky(_ context.Context) (int32, error) {
	if n := flakyAttempts.Add(1); n < 3 {
		return 0, fmt.Errorf("attempt %d", n)
	}
	return flakyAttempts.Load(), nil
}

// Falls silent on its first attempt; the second goes on from what the first reported.
func Beats(ctx context.Context) (int, error) {
	if activity.HasHeartbeatDetails(ctx) {
		var n int
		err := activity.GetHeartbeatDetails(ctx, &n)
		return n + 1, err
	}
	activity.RecordHeartbeat(ctx, 41)
	<-ctx.Done()
	return -1, ctx.Err()
}

func Pending(ctx context.Context) (string, error) {
	info := activity.GetInfo(ctx)
	tokens.Store(info.WorkflowExecution.ID, info.TaskToken)
	return "", activity.ErrResultPending
}

// Asks for a short delay where the policy has a long one.
func Later(ctx context.Context) (int32, error) {
	if n := activity.GetInfo(ctx).Attempt; n > 1 {
		return n, nil
	}
	return 0, temporal.NewApplicationErrorWithOptions("later", "Later", temporal.ApplicationErrorOptions{NextRetryDelay: 20 * time.Millisecond})
}

func Fatal(context.Context) error {
	return temporal.NewApplicationError("no use", "Fatal", "detail", 7)
}

func UntilCanceled(ctx context.Context) error {
	for {
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
			return temporal.NewCanceledError("tidied up")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func Panics(context.Context) error { panic("out of the blue") }

func opts(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second, HeartbeatTimeout: 800 * time.Millisecond,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 10 * time.Millisecond},
	})
}

func once(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second, WaitForCancellation: true, ActivityID: "the-one", HeartbeatTimeout: 2 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
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

func CompletedElsewhere(ctx workflow.Context) (out string, err error) {
	err = workflow.ExecuteActivity(once(ctx), Pending).Get(ctx, &out)
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type() + ": " + app.Message(), nil
	}
	return
}

func AsksForDelay(ctx workflow.Context) (n int32, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second, RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Hour, MaximumInterval: time.Hour},
	})
	err = workflow.ExecuteActivity(ctx, Later).Get(ctx, &n)
	return
}

func FatalByPolicy(ctx workflow.Context) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second, RetryPolicy: &temporal.RetryPolicy{NonRetryableErrorTypes: []string{"Fatal"}},
	})
	err := workflow.ExecuteActivity(ctx, Fatal).Get(ctx, nil)
	var failed *temporal.ActivityError
	var app *temporal.ApplicationError
	if !errors.As(err, &failed) || !errors.As(err, &app) {
		return "", err
	}
	var detail string
	var number int
	if err := app.Details(&detail, &number); err != nil {
		return "", err
	}
	return fmt.Sprintf("%v %s %d", failed.RetryState(), detail, number), nil
}

func CancelsActivity(ctx workflow.Context) (string, error) {
	inner, cancel := workflow.WithCancel(once(ctx))
	running := workflow.ExecuteActivity(inner, UntilCanceled)
	workflow.GetSignalChannel(ctx, "cancel").Receive(ctx, nil)
	cancel()
	var canceled *temporal.CanceledError
	var details string
	if err := running.Get(ctx, nil); !errors.As(err, &canceled) {
		return "", fmt.Errorf("not canceled: %w", err)
	}
	err := canceled.Details(&details)
	return details, err
}

func PanicInActivity(ctx workflow.Context) (string, error) {
	var panicked *temporal.PanicError
	if err := workflow.ExecuteActivity(once(ctx), Panics).Get(ctx, nil); !errors.As(err, &panicked) {
		return "", fmt.Errorf("no panic: %w", err)
	}
	return panicked.Error(), nil
}

// Schedule-to-close is a limit for the wait too, where there is none of its own.
func NobodyTakes(ctx workflow.Context) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{TaskQueue: "nobody-polls-this", ScheduleToCloseTimeout: 200 * time.Millisecond})
	var timeout *temporal.TimeoutError
	if err := workflow.ExecuteActivity(ctx, Echo, "").Get(ctx, nil); !errors.As(err, &timeout) {
		return "", fmt.Errorf("no timeout: %w", err)
	}
	return timeout.TimeoutType().String(), nil
}

// Two activities on one and the same worker.
func Session(ctx workflow.Context) (out string, err error) {
	ctx, err = workflow.CreateSession(opts(ctx), &workflow.SessionOptions{CreationTimeout: 10 * time.Second, ExecutionTimeout: 20 * time.Second})
	if err != nil {
		return "", err
	}
	defer workflow.CompleteSession(ctx)
	if err = workflow.ExecuteActivity(ctx, Echo, "in a session").Get(ctx, &out); err != nil {
		return "", err
	}
	return out, nil
}

var activities = []any{Echo, Flaky, Beats, Pending, Later, Fatal, UntilCanceled, Panics}
var activityWorkflows = []any{
	OneActivity, Retried, Heartbeats, Local, CompletedElsewhere, AsksForDelay, FatalByPolicy, CancelsActivity, PanicInActivity, NobodyTakes, Session,
}

func (e *env) token() (token []byte, err error) {
	err = e.until("token", func() (bool, error) {
		value, ok := tokens.Load(e.id)
		if ok {
			token = value.([]byte)
		}
		return ok, nil
	})
	return
}

var one = types(tStarted, aScheduled, aStarted, aCompleted, tCompleted)
var oneFailed = types(tStarted, aScheduled, aStarted, aFailed, tCompleted)

var activityTests = []test{
	{name: "one activity", run: simple(OneActivity, "hi"), result: "hi", events: one},
	{name: "a retried activity leaves no trace", run: simple(Retried), result: "3", events: one},
	{name: "heartbeat details carry over", run: simple(Heartbeats), result: "42", events: one},
	{name: "a local activity is a marker", run: simple(Local), result: "local", events: types(tStarted, marker, tCompleted)},
	{name: "completed by token, once", result: "by token", events: one, run: func(e *env) (string, error) {
		return e.with(e.options(), CompletedElsewhere, func(client.WorkflowRun) error {
			token, err := e.token()
			if err != nil {
				return err
			}
			if err := e.client.RecordActivityHeartbeat(e, token, "half way"); err != nil {
				return err
			}
			if err := e.client.CompleteActivity(e, token, "by token", nil); err != nil {
				return err
			}
			var gone *serviceerror.NotFound
			if err := e.client.CompleteActivity(e, token, "again", nil); !errors.As(err, &gone) {
				return fmt.Errorf("the second completion: %v", err)
			}
			return nil
		})
	}},
	{name: "failed by id", result: "ByHand: no", events: oneFailed, run: func(e *env) (string, error) {
		return e.with(e.options(), CompletedElsewhere, func(client.WorkflowRun) error {
			if _, err := e.token(); err != nil {
				return err
			}
			if err := e.client.RecordActivityHeartbeatByID(e, "default", e.id, "", "the-one"); err != nil {
				return err
			}
			return e.client.CompleteActivityByID(e, "default", e.id, "", "the-one", nil, temporal.NewApplicationError("no", "ByHand"))
		})
	}},
	{name: "an activity's own delay beats the policy", run: simple(AsksForDelay), result: "2", events: one},
	{name: "a type that the policy calls final", run: simple(FatalByPolicy), result: "NonRetryableFailure detail 7", events: oneFailed},
	{name: "a cancellation is waited for, with its details", result: "tidied up",
		events: types(tStarted, aScheduled, signaled, aCancelAsked, aStarted, aCanceled, tCompleted),
		run: func(e *env) (string, error) {
			return e.with(e.options(), CancelsActivity, func(client.WorkflowRun) error {
				if err := e.until("a heartbeat", func() (bool, error) {
					d, err := e.client.DescribeWorkflowExecution(e, e.id, "")
					pending := d.GetPendingActivities()
					return len(pending) == 1 && pending[0].State == enumspb.PENDING_ACTIVITY_STATE_STARTED, err
				}); err != nil {
					return err
				}
				return e.client.SignalWorkflow(e, e.id, "", "cancel", nil)
			})
		}},
	{name: "a panic is a failure", run: simple(PanicInActivity), result: "out of the blue", events: oneFailed},
	{name: "schedule-to-close ends the wait for a worker", run: simple(NobodyTakes), result: "ScheduleToStart",
		events: types(tStarted, aScheduled, aTimedOut, tCompleted)},
	{name: "a session keeps to one worker", run: simple(Session), result: "in a session", anyOrder: true,
		// Beside the activity: the one that holds the session, its signal, the one that ends it, and a marker.
		// The one that holds it is told twice that it is over, and is completed or canceled by what comes first: so it is on the official
		// server with worker commands.
		events: types(tStarted, marker, aScheduled, signaled, aStarted, aScheduled, aStarted, aScheduled, aStarted, aCancelAsked, tCompleted),
		chance: types(aCompleted, aCanceled)},
}
