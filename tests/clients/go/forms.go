package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
)

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// All groups, versions and resources in two requests, and a mapper made of them.
func discoverAggregated(_ context.Context, b *bench) error {
	groups, resources, failed, err := b.client.DiscoveryClient.GroupsAndMaybeResources()
	if err != nil {
		return err
	}
	if resources == nil || len(failed) > 0 {
		return fmt.Errorf("not aggregated: %d groups, %v", len(groups.Groups), failed)
	}
	mapped, err := restmapper.GetAPIGroupResources(b.client.Discovery())
	if err != nil {
		return err
	}
	mapping, err := restmapper.NewDiscoveryRESTMapper(mapped).RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"})
	if err != nil {
		return err
	}
	if mapping.Resource.Resource != "deployments" || mapping.Scope.Name() != "namespace" {
		return fmt.Errorf("mapped to %v, %v", mapping.Resource, mapping.Scope.Name())
	}
	preferred, err := discovery.ServerPreferredNamespacedResources(b.client.Discovery())
	if err == nil && len(preferred) < 8 {
		return fmt.Errorf("%d lists of preferred resources", len(preferred))
	}
	return err
}

func readDocuments(_ context.Context, b *bench) error {
	for _, path := range []string{"api/v1", "apis/apps/v1", "apis/networking.k8s.io/v1"} {
		paths, err := b.client.Discovery().OpenAPIV3().Paths()
		if err != nil {
			return err
		}
		document, found := paths[path]
		if !found {
			return fmt.Errorf("no document %s", path)
		}
		if bytes, err := document.Schema(runtime.ContentTypeJSON); err != nil || len(bytes) < 1000 {
			return fmt.Errorf("%s: %d bytes, %v", path, len(bytes), err)
		}
	}
	document, err := b.client.Discovery().OpenAPISchema()
	if err == nil && len(document.GetDefinitions().GetAdditionalProperties()) < 300 {
		return fmt.Errorf("%d definitions", len(document.GetDefinitions().GetAdditionalProperties()))
	}
	return err
}

func sleeper(name string) *appsapply.DeploymentApplyConfiguration {
	labels := map[string]string{"app": name}
	return appsapply.Deployment(name, space).WithSpec(appsapply.DeploymentSpec().WithReplicas(0).
		WithSelector(metaapply.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(coreapply.PodTemplateSpec().WithLabels(labels).WithSpec(coreapply.PodSpec().WithContainers(
			coreapply.Container().WithName("main").WithImage("registry.example/sleep:1").
				WithPorts(coreapply.ContainerPort().WithContainerPort(80)).
				WithEnv(coreapply.EnvVar().WithName("A").WithValue("1"), coreapply.EnvVar().WithName("B").WithValue("2"))))))
}

// What a manager owns, taken out of the object, changed and applied again: it gives up what it left out.
func extract(ctx context.Context, b *bench) error {
	deployments := b.client.AppsV1().Deployments(space)
	options := metav1.ApplyOptions{FieldManager: "extractor", Force: true}
	if _, err := deployments.Apply(ctx, sleeper("extracted"), options); err != nil {
		return err
	}
	_, err := deployments.Apply(ctx, appsapply.Deployment("extracted", space).WithAnnotations(map[string]string{"other": "1"}),
		metav1.ApplyOptions{FieldManager: "other"})
	if err != nil {
		return err
	}
	live, err := deployments.Get(ctx, "extracted", metav1.GetOptions{})
	if err != nil {
		return err
	}
	own, err := appsapply.ExtractDeployment(live, "extractor")
	if err != nil {
		return err
	}
	containers := own.Spec.Template.Spec.Containers
	if len(own.Annotations) != 0 || own.Spec.Strategy != nil || len(containers) != 1 || len(containers[0].Env) != 2 ||
		len(containers[0].Ports) != 1 || containers[0].TerminationMessagePath != nil {
		return fmt.Errorf("extracted %+v", own)
	}
	containers[0].Env = containers[0].Env[:1]
	if live, err = deployments.Apply(ctx, own, options); err != nil {
		return err
	}
	if env := live.Spec.Template.Spec.Containers[0].Env; len(env) != 1 || env[0].Name != "A" || live.Annotations["other"] != "1" {
		return fmt.Errorf("after the second apply: %v, %v", env, live.Annotations)
	}
	return extractStatus(ctx, b, live)
}

func extractStatus(ctx context.Context, b *bench, live *appsv1.Deployment) error {
	name := live.Name
	wanted := appsapply.Deployment(name, space).WithStatus(appsapply.DeploymentStatus().WithConditions(
		appsapply.DeploymentCondition().WithType("Extracted").WithStatus(corev1.ConditionTrue).WithReason("Test").WithMessage("yes")))
	options := metav1.ApplyOptions{FieldManager: "extractor-status", Force: true}
	live, err := b.client.AppsV1().Deployments(space).ApplyStatus(ctx, wanted, options)
	if err != nil {
		return err
	}
	own, err := appsapply.ExtractDeploymentStatus(live, "extractor-status")
	if err == nil && (own.Spec != nil || own.Status == nil || len(own.Status.Conditions) != 1) {
		return fmt.Errorf("status: extracted %+v", own)
	}
	return err
}

// Informers that know no types: all of an object, or its metadata only.
func informUntyped(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	untyped, err := dynamic.NewForConfig(b.config)
	if err != nil {
		return err
	}
	partial, err := metadata.NewForConfig(b.config)
	if err != nil {
		return err
	}
	whole := dynamicinformer.NewFilteredDynamicSharedInformerFactory(untyped, 0, space, nil)
	heads := metadatainformer.NewFilteredSharedInformerFactory(partial, 0, space, nil)
	stores := map[string]cache.Store{"dynamic": whole.ForResource(configMaps).Informer().GetStore(),
		"metadata": heads.ForResource(configMaps).Informer().GetStore()}
	whole.Start(ctx.Done())
	heads.Start(ctx.Done())
	whole.WaitForCacheSync(ctx.Done())
	heads.WaitForCacheSync(ctx.Done())
	if _, err := b.client.CoreV1().ConfigMaps(space).Create(ctx, configMap("untyped"), metav1.CreateOptions{}); err != nil {
		return err
	}
	for name, store := range stores {
		if err := until(ctx, name, func() (bool, error) {
			_, found, err := store.GetByKey(space + "/untyped")
			return found, err
		}); err != nil {
			return err
		}
	}
	item, _, _ := stores["metadata"].GetByKey(space + "/untyped")
	if head, isHead := item.(*metav1.PartialObjectMetadata); !isHead || head.Labels["test"] != "go" {
		return fmt.Errorf("metadata: %+v", item)
	}
	return nil
}

// A typed client that sends and takes protobuf, its informer too.
func protobufForms(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	config := rest.CopyConfig(b.config)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(space))
	services := factory.Core().V1().Services().Lister()
	factory.Core().V1().Services().Informer()
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "binary"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"a": "b"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	made, err := client.CoreV1().Services(space).Create(ctx, service, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	made.Spec.Ports[0].Name = "http"
	if _, err = client.CoreV1().Services(space).Update(ctx, made, metav1.UpdateOptions{}); err != nil {
		return err
	}
	return until(ctx, "the service by its name of port", func() (bool, error) {
		seen, err := services.Services(space).Get("binary")
		return err == nil && seen.Spec.Ports[0].Name == "http" && seen.Spec.ClusterIP != "", nil
	})
}

// A watch-list marks where its first objects end; a watch goes on from there.
func bookmarks(ctx context.Context, b *bench) error {
	isInitial := true
	seconds := int64(10)
	stream, err := b.client.CoreV1().ConfigMaps(space).Watch(ctx, metav1.ListOptions{AllowWatchBookmarks: true,
		SendInitialEvents: &isInitial, ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan, TimeoutSeconds: &seconds})
	if err != nil {
		return err
	}
	defer stream.Stop()
	for event := range stream.ResultChan() {
		object, isObject := event.Object.(*corev1.ConfigMap)
		if !isObject {
			return fmt.Errorf("%v: %+v", event.Type, event.Object)
		}
		if event.Type == watch.Added {
			continue
		}
		if event.Type != watch.Bookmark || object.Annotations[metav1.InitialEventsAnnotationKey] != "true" || object.Name != "" {
			return fmt.Errorf("%v: %+v", event.Type, object.ObjectMeta)
		}
		return resume(ctx, b, object.ResourceVersion)
	}
	return errors.New("the watch ended before its bookmark")
}

func resume(ctx context.Context, b *bench, version string) error {
	maps := b.client.CoreV1().ConfigMaps(space)
	if _, err := maps.Create(ctx, configMap("after-bookmark"), metav1.CreateOptions{}); err != nil {
		return err
	}
	seconds := int64(10)
	stream, err := maps.Watch(ctx, metav1.ListOptions{ResourceVersion: version, TimeoutSeconds: &seconds})
	if err != nil {
		return err
	}
	defer stream.Stop()
	event := <-stream.ResultChan()
	if object, isObject := event.Object.(*corev1.ConfigMap); !isObject || event.Type != watch.Added || object.Name != "after-bookmark" {
		return fmt.Errorf("resumed with %v %+v", event.Type, event.Object)
	}
	return nil
}

// The recorder of controllers: one event, counted up when it is repeated.
func recordEvents(ctx context.Context, b *bench) error {
	about, err := b.client.CoreV1().ConfigMaps(space).Create(ctx, configMap("told-of"), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcore.EventSinkImpl{Interface: b.client.CoreV1().Events(space)})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "go-client"})
	for i := 0; i < 3; i++ {
		recorder.Event(about, corev1.EventTypeWarning, "Repeated", "once more")
		time.Sleep(10 * time.Millisecond)
	}
	return until(ctx, "an event with count 3", func() (bool, error) {
		list, err := b.client.CoreV1().Events(space).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=told-of"})
		return err == nil && len(list.Items) == 1 && list.Items[0].Count == 3 && list.Items[0].Source.Component == "go-client", err
	})
}
