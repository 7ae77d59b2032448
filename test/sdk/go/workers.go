// Workers that are killed, that fail tasks, and that take one thing at a time.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Holds on to its first attempt for ever, beating; a later one ends at once and says where the earlier one was.
func HeldByDoomed(ctx context.Context) (string, error) {
	if activity.HasHeartbeatDetails(ctx) {
		var at string
		err := activity.GetHeartbeatDetails(ctx, &at)
		return fmt.Sprintf("%s, attempt %d", at, activity.GetInfo(ctx).Attempt), err
	}
	for ctx.Err() == nil {
		activity.RecordHeartbeat(ctx, "held")
		time.Sleep(50 * time.Millisecond)
	}
	return "", ctx.Err()
}

func SurvivesActivity(ctx workflow.Context) (out string, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, HeartbeatTimeout: time.Second, RetryPolicy: &temporal.RetryPolicy{InitialInterval: 10 * time.Millisecond},
	})
	err = workflow.ExecuteActivity(ctx, HeldByDoomed).Get(ctx, &out)
	return
}

func SurvivesIdle(ctx workflow.Context) (out string, err error) {
	if err = workflow.ExecuteActivity(opts(ctx), Echo, "before").Get(ctx, &out); err != nil {
		return
	}
	var word string
	workflow.GetSignalChannel(ctx, "go").Receive(ctx, &word)
	return out + " " + word, nil
}

var panics atomic.Int32

// Fails its first task, as code with a mistake does.
func PanicsFirst(ctx workflow.Context) (string, error) {
	if !workflow.IsReplaying(ctx) && panics.Add(1) == 1 {
		panic("a mistake")
	}
	return "mended", nil
}

func PanicsForGood(workflow.Context) error { panic("for good") }

var order struct {
	sync.Mutex
	keys []int
}

func NotesPriority(ctx context.Context) error {
	order.Lock()
	defer order.Unlock()
	order.keys = append(order.keys, activity.GetInfo(ctx).Priority.PriorityKey)
	return nil
}

// Five activities of five priorities, the least first, for a worker that takes one at a time.
func ByPriority(ctx workflow.Context, taskQueue string) error {
	var all []workflow.Future
	for key := 5; key >= 1; key-- {
		all = append(all, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue: taskQueue, StartToCloseTimeout: 10 * time.Second, Priority: temporal.Priority{PriorityKey: key}, DisableEagerExecution: true,
		}), NotesPriority))
	}
	for _, f := range all {
		if err := f.Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

var workerActivities = []any{HeldByDoomed, NotesPriority, SignalsItself}
var workerWorkflows = []any{SurvivesActivity, SurvivesIdle, PanicsFirst, PanicsForGood, ByPriority}

// Runs `first` beside a worker process of its own queue, kills the process, and goes on with a worker of ours.
func (e *env) losingWorker(fn any, first func() error, then func() error) (string, error) {
	o := e.options()
	o.TaskQueue = "queue-" + e.id
	doomed := exec.Command(os.Args[0], "-addr", e.address, "-worker", o.TaskQueue)
	if err := doomed.Start(); err != nil {
		return "", err
	}
	defer func() { _ = doomed.Process.Kill() }()
	return e.with(o, fn, func(client.WorkflowRun) error {
		if err := first(); err != nil {
			return err
		}
		if err := doomed.Process.Kill(); err != nil {
			return err
		}
		_ = doomed.Wait()
		// While it answers these, the server also learns what the kill left on its sockets. What it gives to a poller in the
		// instant before is lost, here as everywhere, until the task's own timeout.
		for range 10 {
			if _, err := e.client.DescribeWorkflowExecution(e, e.id, ""); err != nil {
				return err
			}
		}
		heir := newWorker(e.client, o.TaskQueue, worker.Options{Identity: "heir"})
		if err := heir.Start(); err != nil {
			return err
		}
		defer heir.Stop()
		if err := then(); err != nil {
			return err
		}
		return e.untilEvent(tCompleted)
	})
}

// Fifty callers, each with one workflow after the other, and a worker of their own. All of its polls may end up at its sticky queue,
// if what the server tells of that queue is wrong: then everything stands until they end, a minute later.
func (e *env) manyAtOnce() (string, error) {
	o := e.options()
	o.TaskQueue = "queue-" + e.id
	w := newWorker(e.client, o.TaskQueue, worker.Options{MaxConcurrentWorkflowTaskPollers: 16, MaxConcurrentActivityTaskPollers: 8})
	if err := w.Start(); err != nil {
		return "", err
	}
	defer w.Stop()
	const callers, each = 50, 30
	var done atomic.Int32
	errs := make(chan error, callers)
	for caller := range callers {
		go func() {
			for i := range each {
				o := o
				o.ID = fmt.Sprintf("%s-%d-%d", e.id, caller, i)
				run, err := e.start(o, OneActivity, "x")
				if err == nil {
					_, err = resultOf(e, run)
				}
				if err != nil {
					errs <- err
					return
				}
				done.Add(1)
			}
			errs <- nil
		}()
	}
	var first error
	for range callers {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return fmt.Sprint(done.Load()), first
}

var workerTests = []test{
	{name: "fifty workflows at once, none stands still", result: "1500", run: (*env).manyAtOnce},
	{name: "a killed worker's activity goes on elsewhere", result: "held, attempt 2", events: one, run: func(e *env) (string, error) {
		return e.losingWorker(SurvivesActivity, func() error {
			return e.until("a heartbeat", func() (bool, error) {
				d, err := e.client.DescribeWorkflowExecution(e, e.id, "")
				pending := d.GetPendingActivities()
				return len(pending) == 1 && pending[0].GetHeartbeatDetails() != nil && pending[0].LastWorkerIdentity == "doomed", err
			})
		}, func() error { return nil })
	}},
	{name: "a killed worker's workflow goes on elsewhere", result: "before after",
		events: types(tStarted, aScheduled, aStarted, aCompleted, signaled, tCompleted),
		run: func(e *env) (string, error) {
			got, err := e.losingWorker(SurvivesIdle,
				func() error { return errors.Join(e.untilEvent(aCompleted), e.untilIdle()) },
				func() error { return e.client.SignalWorkflow(e, e.id, "", "go", "after") })
			if err != nil {
				return "", err
			}
			// The task for the worker that has gone times out on its sticky queue and is given to anybody.
			lost, err := e.find(e.id, "", taskTimedOut)
			if err == nil && lost.GetWorkflowTaskTimedOutEventAttributes().TimeoutType != enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START {
				err = fmt.Errorf("timed out by %v", lost.GetWorkflowTaskTimedOutEventAttributes().TimeoutType)
			}
			return got, err
		}},
	{name: "a task that panics is tried again", result: "mended", events: types(tStarted, tCompleted), run: func(e *env) (string, error) {
		got, err := e.with(e.options(), PanicsFirst, nil)
		if err != nil {
			return "", err
		}
		failed, err := e.find(e.id, "", taskFailed)
		if err == nil && failed.GetWorkflowTaskFailedEventAttributes().Failure.GetMessage() != "a mistake" {
			err = fmt.Errorf("failed with %q", failed.GetWorkflowTaskFailedEventAttributes().Failure.GetMessage())
		}
		return got, err
	}},
	{name: "a panic fails the workflow where the worker says so", result: "for good", events: types(tStarted, tFailed), run: func(e *env) (string, error) {
		o := e.options()
		o.TaskQueue = "queue-" + e.id
		strict := newWorker(e.client, o.TaskQueue, worker.Options{WorkflowPanicPolicy: worker.FailWorkflow})
		if err := strict.Start(); err != nil {
			return "", err
		}
		defer strict.Stop()
		_, err := e.with(o, PanicsForGood, nil)
		var panicked *temporal.PanicError
		if !errors.As(err, &panicked) {
			return "", fmt.Errorf("no panic: %v", err)
		}
		return panicked.Error(), nil
	}},
	{name: "the most urgent first", result: "[1 2 3 4 5]", anyOrder: true,
		events: types(tStarted, aScheduled, aScheduled, aScheduled, aScheduled, aScheduled, aStarted, aStarted, aStarted, aStarted, aStarted,
			aCompleted, aCompleted, aCompleted, aCompleted, aCompleted, tCompleted),
		run: func(e *env) (string, error) {
			taskQueue := "queue-" + e.id
			_, err := e.with(e.options(), ByPriority, func(client.WorkflowRun) error {
				if err := e.untilEvent(aScheduled); err != nil {
					return err
				}
				one := worker.New(e.client, taskQueue, worker.Options{
					DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: 1, MaxConcurrentActivityTaskPollers: 1,
				})
				one.RegisterActivity(NotesPriority)
				if err := one.Start(); err != nil {
					return err
				}
				defer one.Stop()
				return e.untilEvent(tCompleted)
			}, taskQueue)
			order.Lock()
			defer order.Unlock()
			return fmt.Sprint(order.keys), err
		}},
}
