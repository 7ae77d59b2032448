// Workflows of the official Go SDK against a running server: each asserts its result and its history's event types.
// Prints one line a test, "ok NAME, TIME" or "FAILED NAME: why", then "ran N", and ends with 1 when any failed.
//
// With -worker it is a worker and nothing else, until it is killed: a test starts it so, to lose a worker for good.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
)

const queue = "go-suite"

type test struct {
	name   string
	run    func(*env) (string, error)
	result string
	// Without the workflow tasks, in order; nil where there is no workflow.
	events []enumspb.EventType
	// Where two events may come in either order.
	anyOrder bool
	// Events that may be there or not.
	chance []enumspb.EventType
}

// What a test has to work with; its workflow is the one with id.
type env struct {
	context.Context
	client  client.Client
	address string
	id      string
}

func (e *env) options() client.StartWorkflowOptions {
	return client.StartWorkflowOptions{ID: e.id, TaskQueue: queue}
}

func (e *env) start(o client.StartWorkflowOptions, fn any, args ...any) (client.WorkflowRun, error) {
	return e.client.ExecuteWorkflow(e, o, fn, args...)
}

// Starts, does something to the running workflow, and waits for its result.
func (e *env) with(o client.StartWorkflowOptions, fn any, then func(client.WorkflowRun) error, args ...any) (string, error) {
	run, err := e.start(o, fn, args...)
	if err != nil {
		return "", err
	}
	if then != nil {
		if err := then(run); err != nil {
			return "", err
		}
	}
	return resultOf(e, run)
}

func resultOf(ctx context.Context, run client.WorkflowRun) (string, error) {
	var out any
	err := run.Get(ctx, &out)
	return fmt.Sprint(out), err
}

func simple(fn any, args ...any) func(*env) (string, error) {
	return func(e *env) (string, error) { return e.with(e.options(), fn, nil, args...) }
}

func (e *env) history(id, runID string) ([]*historypb.HistoryEvent, error) {
	var all []*historypb.HistoryEvent
	it := e.client.GetWorkflowHistory(e, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		event, err := it.Next()
		if err != nil {
			return nil, err
		}
		all = append(all, event)
	}
	return all, nil
}

func (e *env) types(id, runID string) ([]enumspb.EventType, error) {
	events, err := e.history(id, runID)
	var types []enumspb.EventType
	for _, event := range events {
		if !strings.HasPrefix(event.EventType.String(), "WorkflowTask") {
			types = append(types, event.EventType)
		}
	}
	return types, err
}

func (e *env) find(id, runID string, t enumspb.EventType) (*historypb.HistoryEvent, error) {
	events, err := e.history(id, runID)
	for _, event := range events {
		if event.EventType == t {
			return event, nil
		}
	}
	return nil, fmt.Errorf("no %v in the history (%v)", t, err)
}

// Asks until the answer is yes or the test's time is over.
func (e *env) until(what string, ask func() (bool, error)) error {
	for {
		ok, err := ask()
		if ok {
			return nil
		}
		select {
		case <-e.Done():
			return fmt.Errorf("never: %s (%v)", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (e *env) untilEvent(t enumspb.EventType) error {
	return e.until(t.String(), func() (bool, error) {
		_, err := e.find(e.id, "", t)
		return err == nil, err
	})
}

// Until the workflow waits for something: its last task is done.
func (e *env) untilIdle() error {
	return e.until("idle", func() (bool, error) {
		events, err := e.history(e.id, "")
		return len(events) > 0 && events[len(events)-1].EventType == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, err
	})
}

const (
	tStarted      = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
	tCompleted    = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
	tFailed       = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
	tTimedOut     = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT
	tCanceled     = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED
	tTerminated   = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED
	tContinued    = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
	signaled      = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
	cancelAsked   = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED
	aScheduled    = enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
	aStarted      = enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED
	aCompleted    = enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
	aFailed       = enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED
	aTimedOut     = enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT
	aCancelAsked  = enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED
	aCanceled     = enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED
	timerStarted  = enumspb.EVENT_TYPE_TIMER_STARTED
	timerFired    = enumspb.EVENT_TYPE_TIMER_FIRED
	timerCanceled = enumspb.EVENT_TYPE_TIMER_CANCELED
	marker        = enumspb.EVENT_TYPE_MARKER_RECORDED
	upserted      = enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
	modified      = enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED
	cInitiated    = enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
	cStarted      = enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED
	cCompleted    = enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED
	cCanceled     = enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED
	taskFailed    = enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED
	taskTimedOut  = enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
)

func types(all ...enumspb.EventType) []enumspb.EventType { return all }

func (t test) check(e *env) error {
	got, err := t.run(e)
	if err != nil {
		return err
	}
	if got != t.result {
		return fmt.Errorf("answered %q, not %q", got, t.result)
	}
	if t.events == nil {
		return nil
	}
	found, err := e.types(e.id, "")
	if err != nil {
		return err
	}
	expected := t.events
	found = slices.DeleteFunc(found, func(e enumspb.EventType) bool { return slices.Contains(t.chance, e) })
	if t.anyOrder {
		found, expected = slices.Sorted(slices.Values(found)), slices.Sorted(slices.Values(expected))
	}
	if !slices.Equal(found, expected) {
		return fmt.Errorf("history is %v, not %v", found, expected)
	}
	return nil
}

func newWorker(c client.Client, taskQueue string, o worker.Options) worker.Worker {
	w := worker.New(c, taskQueue, o)
	for _, f := range slices.Concat(activityWorkflows, messageWorkflows, runWorkflows, workerWorkflows, updateWorkflows, nexusWorkflows) {
		w.RegisterWorkflow(f)
	}
	for _, f := range slices.Concat(activities, workerActivities) {
		w.RegisterActivity(f)
	}
	return w
}

func main() {
	addr := flag.String("addr", "127.0.0.1:7233", "")
	workerOf := flag.String("worker", "", "task queue of a mere worker")
	only := flag.String("only", "", "part of the names of the tests to run")
	flag.Parse()
	// Failing activities and tasks are what is tested here.
	lg := tlog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.Dial(client.Options{HostPort: *addr, Logger: lg})
	if err != nil {
		fmt.Println("FAILED dial:", err)
		os.Exit(1)
	}
	defer c.Close()
	if *workerOf != "" {
		if err := newWorker(c, *workerOf, worker.Options{Identity: "doomed", StickyScheduleToStartTimeout: time.Second}).Run(nil); err != nil {
			os.Exit(1)
		}
		return
	}
	if err := createEndpoint(context.Background(), c); err != nil {
		fmt.Println("FAILED endpoint:", err)
		os.Exit(1)
	}
	w := newWorker(c, queue, worker.Options{EnableSessionWorker: true})
	w.RegisterNexusService(newService())
	if err := w.Start(); err != nil {
		fmt.Println("FAILED worker:", err)
		os.Exit(1)
	}
	defer w.Stop()
	bad, ran := 0, 0
	for i, t := range slices.Concat(activityTests, messageTests, runTests, workerTests, updateTests, nexusTests, standaloneTests) {
		if !strings.Contains(t.name, *only) {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		began := time.Now()
		err := t.check(&env{ctx, c, *addr, fmt.Sprintf("go-%d-%d", time.Now().UnixNano(), i)})
		cancel()
		ran++
		if err != nil {
			bad++
			fmt.Printf("FAILED %s: %v\n", t.name, err)
		} else {
			fmt.Printf("ok %s, %d ms\n", t.name, time.Since(began).Milliseconds())
		}
	}
	fmt.Printf("ran %d\n", ran)
	if bad > 0 {
		os.Exit(1)
	}
}
