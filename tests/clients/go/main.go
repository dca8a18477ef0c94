// What programs built on client-go do, against a cluster that runs: informers by watch-list (typed, dynamic, metadata, protobuf),
// bookmarks, leader election, events, typed server-side apply and its Extract functions, discovery and OpenAPI, pages, patches and
// conflicts; exec in a pod with a shell (WebSocket, SPDY, and the fallback between them), and port-forward by both ways to one that
// serves 8080.
//
//	clients -kubeconfig FILE [-shell NAMESPACE/NAME] [-web NAMESPACE/NAME]
//
// Ends with "N passed, N failed, N skipped".
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/apimachinery/pkg/util/wait"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/retry"
)

const space = "go-client"

var errSkipped = errors.New("needs a pod")

type bench struct {
	config *rest.Config
	client *kubernetes.Clientset
	shell  string
	web    string
}

func until(ctx context.Context, what string, probe func() (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 20*time.Second, true,
		func(context.Context) (bool, error) { return probe() })
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"test": "go"}},
		Data: map[string]string{"a": "1"}}
}

func discover(ctx context.Context, b *bench) error {
	groups, lists, err := b.client.Discovery().ServerGroupsAndResources()
	if err != nil {
		return err
	}
	if len(groups) < 15 || len(lists) < 15 {
		return fmt.Errorf("%d groups, %d lists", len(groups), len(lists))
	}
	version, err := b.client.Discovery().ServerVersion()
	if err == nil && (version.Major != "1" || !strings.HasPrefix(version.Minor, "35")) {
		return fmt.Errorf("version %s.%s", version.Major, version.Minor)
	}
	return err
}

// An informer that begins with a watch-list, and then sees every change in order.
func inform(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	maps := b.client.CoreV1().ConfigMaps(space)
	for i := 0; i < 50; i++ {
		if _, err := maps.Create(ctx, configMap(fmt.Sprintf("informed-%d", i)), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	var added, updated, deleted atomic.Int32
	factory := informers.NewSharedInformerFactoryWithOptions(b.client, 0, informers.WithNamespace(space),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.LabelSelector = "test=go" }))
	informer := factory.Core().V1().ConfigMaps()
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { added.Add(1) },
		UpdateFunc: func(any, any) { updated.Add(1) },
		DeleteFunc: func(any) { deleted.Add(1) },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	for kind, isSynced := range factory.WaitForCacheSync(ctx.Done()) {
		if !isSynced {
			return fmt.Errorf("%v is not synced", kind)
		}
	}
	if all, _ := informer.Lister().ConfigMaps(space).List(labels.Everything()); len(all) != 50 {
		return fmt.Errorf("%d objects in the cache, not 50", len(all))
	}
	for i := 0; i < 10; i++ {
		name := fmt.Sprintf("informed-%d", i)
		if _, err := maps.Patch(ctx, name, types.MergePatchType, []byte(`{"data":{"a":"2"}}`), metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	if err := maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "test=go"}); err != nil {
		return err
	}
	err = until(ctx, "events", func() (bool, error) {
		return added.Load() == 50 && updated.Load() == 10 && deleted.Load() == 50, nil
	})
	if err != nil {
		return fmt.Errorf("%w: %d added, %d updated, %d deleted", err, added.Load(), updated.Load(), deleted.Load())
	}
	return nil
}

// One leads, the other takes over when it lets go.
func elect(ctx context.Context, b *bench) error {
	led := make(chan string, 4)
	run := func(ctx context.Context, name string) {
		lock := &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Name: "leader", Namespace: space},
			Client: b.client.CoordinationV1(), LockConfig: resourcelock.ResourceLockConfig{Identity: name}}
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{Lock: lock, ReleaseOnCancel: true,
			LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { led <- name },
				OnStoppedLeading: func() {},
			}})
	}
	wants := func(name string) error {
		select {
		case got := <-led:
			if got != name {
				return fmt.Errorf("%s leads, not %s", got, name)
			}
			return nil
		case <-time.After(15 * time.Second):
			return fmt.Errorf("%s does not lead after 15 s", name)
		}
	}
	first, stopFirst := context.WithCancel(ctx)
	defer stopFirst()
	second, stopSecond := context.WithCancel(ctx)
	defer stopSecond()
	go run(first, "first")
	if err := wants("first"); err != nil {
		return err
	}
	go run(second, "second")
	time.Sleep(time.Second)
	if len(led) != 0 {
		return errors.New("two lead at once")
	}
	stopFirst()
	return wants("second")
}

func deployment(replicas int32, image string) *appsapply.DeploymentApplyConfiguration {
	container := coreapply.Container().WithName("a").WithImage(image)
	template := coreapply.PodTemplateSpec().WithLabels(map[string]string{"app": "applied"}).
		WithSpec(coreapply.PodSpec().WithContainers(container).WithTerminationGracePeriodSeconds(1))
	return appsapply.Deployment("applied", space).WithSpec(appsapply.DeploymentSpec().WithReplicas(replicas).
		WithSelector(metaapply.LabelSelector().WithMatchLabels(map[string]string{"app": "applied"})).WithTemplate(template))
}

// Apply, conflict, force, and extract what a manager owns.
func apply(ctx context.Context, b *bench) error {
	deployments := b.client.AppsV1().Deployments(space)
	mine := metav1.ApplyOptions{FieldManager: "mine"}
	made, err := deployments.Apply(ctx, deployment(0, "registry.test/a:1"), mine)
	if err != nil {
		return err
	}
	again, err := deployments.Apply(ctx, deployment(0, "registry.test/a:1"), mine)
	if err != nil || again.Generation != made.Generation {
		return fmt.Errorf("applied unchanged: generation %d, not %d: %w", again.Generation, made.Generation, err)
	}
	_, err = deployments.Apply(ctx, deployment(1, "registry.test/a:2"), metav1.ApplyOptions{FieldManager: "other"})
	if !apierrors.IsConflict(err) {
		return fmt.Errorf("want a conflict, got %v", err)
	}
	causes := err.(apierrors.APIStatus).Status().Details.Causes
	if len(causes) != 2 || causes[0].Type != metav1.CauseTypeFieldManagerConflict {
		return fmt.Errorf("causes %v", causes)
	}
	forced, err := deployments.Apply(ctx, deployment(0, "registry.test/a:2"), metav1.ApplyOptions{FieldManager: "other", Force: true})
	if err != nil {
		return err
	}
	if image := forced.Spec.Template.Spec.Containers[0].Image; image != "registry.test/a:2" {
		return fmt.Errorf("image %s", image)
	}
	owned, err := appsapply.ExtractDeployment(forced, "other")
	if err != nil {
		return err
	}
	if owned.Spec == nil || *owned.Spec.Template.Spec.Containers[0].Image != "registry.test/a:2" {
		return fmt.Errorf("what is owned: %+v", owned.Spec)
	}
	return deployments.Delete(ctx, "applied", metav1.DeleteOptions{})
}

func readPages(ctx context.Context, b *bench) error {
	seen := map[string]bool{}
	maps := b.client.CoreV1().ConfigMaps(space)
	for i := 0; i < 25; i++ {
		if _, err := maps.Create(ctx, configMap(fmt.Sprintf("page-%02d", i)), metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	p := pager.New(pager.SimplePageFunc(func(o metav1.ListOptions) (_ runtime.Object, err error) { return maps.List(ctx, o) }))
	p.PageSize = 4
	err := p.EachListItem(ctx, metav1.ListOptions{LabelSelector: "test=go"}, func(o runtime.Object) error {
		seen[o.(*corev1.ConfigMap).Name] = true
		return nil
	})
	if err == nil && len(seen) != 25 {
		err = fmt.Errorf("%d objects in all pages, not 25", len(seen))
	}
	return err
}

// Ten writers of one object, each of which tries again at a conflict.
func retryConflicts(ctx context.Context, b *bench) error {
	maps := b.client.CoreV1().ConfigMaps(space)
	if _, err := maps.Create(ctx, configMap("counted"), metav1.CreateOptions{}); err != nil {
		return err
	}
	failed := make(chan error, 10)
	backoff := wait.Backoff{Steps: 50, Duration: 5 * time.Millisecond, Factor: 1.2, Jitter: 0.5}
	for i := 0; i < 10; i++ {
		go func() {
			failed <- retry.RetryOnConflict(backoff, func() error {
				current, err := maps.Get(ctx, "counted", metav1.GetOptions{})
				if err != nil {
					return err
				}
				current.Data["a"] += "x"
				_, err = maps.Update(ctx, current, metav1.UpdateOptions{})
				return err
			})
		}()
	}
	for i := 0; i < 10; i++ {
		if err := <-failed; err != nil {
			return err
		}
	}
	current, err := maps.Get(ctx, "counted", metav1.GetOptions{})
	if err == nil && current.Data["a"] != "1xxxxxxxxxx" {
		err = fmt.Errorf("an update is lost: %s", current.Data["a"])
	}
	return err
}

// JSON by the dynamic client, metadata alone, and refusals that programs tell apart.
func otherForms(ctx context.Context, b *bench) error {
	unstructured, err := dynamic.NewForConfig(b.config)
	if err != nil {
		return err
	}
	resource := corev1.SchemeGroupVersion.WithResource("configmaps")
	found, err := unstructured.Resource(resource).Namespace(space).Get(ctx, "counted", metav1.GetOptions{})
	if err != nil || found.GetKind() != "ConfigMap" {
		return fmt.Errorf("dynamic: %v %w", found, err)
	}
	partial, err := metadata.NewForConfig(b.config)
	if err != nil {
		return err
	}
	list, err := partial.Resource(resource).Namespace(space).List(ctx, metav1.ListOptions{LabelSelector: "test=go"})
	if err != nil || len(list.Items) != 26 || list.Items[0].Name != "counted" {
		return fmt.Errorf("metadata: %d objects, %w", len(list.Items), err)
	}
	maps := b.client.CoreV1().ConfigMaps(space)
	_, err = maps.Create(ctx, configMap("counted"), metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("want AlreadyExists, got %v", err)
	}
	if _, err = maps.Get(ctx, "absent", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("want NotFound, got %v", err)
	}
	if _, err = maps.Create(ctx, configMap("Not A Name"), metav1.CreateOptions{}); !apierrors.IsInvalid(err) {
		return fmt.Errorf("want Invalid, got %v", err)
	}
	return nil
}

func (b *bench) request(pod, subresource string) *rest.Request {
	namespace, name, _ := strings.Cut(pod, "/")
	return b.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(name).SubResource(subresource)
}

func execute(ctx context.Context, b *bench) error {
	if b.shell == "" {
		return errSkipped
	}
	request := b.request(b.shell, "exec").
		VersionedParams(&corev1.PodExecOptions{Command: []string{"sh", "-c", "cat; echo aside >&2; exit 3"}, Stdin: true, Stdout: true,
			Stderr: true}, scheme.ParameterCodec)
	overWebSocket, err := remotecommand.NewWebSocketExecutor(b.config, "GET", request.URL().String())
	if err != nil {
		return err
	}
	overSPDY, err := remotecommand.NewSPDYExecutor(b.config, "POST", request.URL())
	if err != nil {
		return err
	}
	either, err := remotecommand.NewFallbackExecutor(overWebSocket, overSPDY, httpstream.IsUpgradeFailure)
	if err != nil {
		return err
	}
	ways := map[string]remotecommand.Executor{"WebSocket": overWebSocket, "SPDY": overSPDY, "either": either}
	for name, executor := range ways {
		var out, aside bytes.Buffer
		err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: strings.NewReader("in"), Stdout: &out, Stderr: &aside})
		if err == nil || !strings.Contains(err.Error(), "exit code 3") || out.String() != "in" || aside.String() != "aside\n" {
			return fmt.Errorf("%s: %q, %q, %v", name, out.String(), aside.String(), err)
		}
	}
	return nil
}

func forward(ctx context.Context, b *bench) error {
	if b.web == "" {
		return errSkipped
	}
	url := b.request(b.web, "portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(b.config)
	if err != nil {
		return err
	}
	overSPDY := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", url)
	tunnelled, err := portforward.NewSPDYOverWebsocketDialer(url, b.config)
	if err != nil {
		return err
	}
	for name, dialer := range map[string]httpstream.Dialer{"SPDY": overSPDY, "tunnel": tunnelled,
		"either": portforward.NewFallbackDialer(tunnelled, overSPDY, httpstream.IsUpgradeFailure)} {
		if err := forwardBy(dialer); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func forwardBy(dialer httpstream.Dialer) error {
	stop, ready := make(chan struct{}), make(chan struct{})
	defer close(stop)
	forwarder, err := portforward.New(dialer, []string{"0:8080"}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case err = <-failed:
		return err
	case <-ready:
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return err
	}
	reply, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", ports[0].Local))
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", reply.StatusCode)
	}
	return nil
}

var checks = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"discovery", discover}, {"informer", inform}, {"leader election", elect}, {"typed apply", apply}, {"pages", readPages},
	{"conflicts", retryConflicts}, {"other forms", otherForms}, {"aggregated discovery", discoverAggregated},
	{"documents", readDocuments}, {"extract", extract}, {"dynamic and metadata informers", informUntyped},
	{"protobuf", protobufForms}, {"bookmarks", bookmarks}, {"events", recordEvents},
	{"exec", execute}, {"port-forward", forward},
}

func open(kubeconfig, shell, web string) (*bench, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 500, 1000
	client, err := kubernetes.NewForConfig(config)
	return &bench{config: config, client: client, shell: shell, web: web}, err
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "of the cluster")
	shell := flag.String("shell", "", "NAMESPACE/NAME of a pod that has a shell")
	web := flag.String("web", "", "NAMESPACE/NAME of a pod that answers GET / at port 8080")
	flag.Parse()
	ctx := context.Background()
	b, err := open(*kubeconfig, *shell, *web)
	if err == nil {
		named := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space}}
		_, err = b.client.CoreV1().Namespaces().Create(ctx, named, metav1.CreateOptions{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	passed, failed, skipped := 0, 0, 0
	for _, check := range checks {
		switch err := check.run(ctx, b); {
		case errors.Is(err, errSkipped):
			skipped++
		case err != nil:
			failed++
			fmt.Printf("FAIL %s: %v\n", check.name, err)
		default:
			passed++
		}
	}
	if err := b.client.CoreV1().Namespaces().Delete(ctx, space, metav1.DeleteOptions{}); err != nil {
		fmt.Printf("FAIL delete: %v\n", err)
		failed++
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 {
		os.Exit(1)
	}
}
