// csi-registrar tells a node's kubelet where its CSI driver listens.
//
// The kubelet watches a directory for sockets and asks each who it is. A driver answers CSI calls only, so that this
// small server stands beside it. Kubernetes' own program for it, csi-node-driver-registrar, is published as no Go
// module; this one takes those of its flags that matter.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// What kubelet may speak to the driver.
var versions = []string{"1.0.0"}

type server struct {
	registration.UnimplementedRegistrationServer
	driver   string
	endpoint string
	refused  chan string
}

func (s *server) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              s.driver,
		Endpoint:          s.endpoint,
		SupportedVersions: versions,
	}, nil
}

func (s *server) NotifyRegistrationStatus(
	_ context.Context, status *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if status.PluginRegistered {
		log.Printf("kubelet has registered %s at %s", s.driver, s.endpoint)
	} else {
		// Kubelet does not ask again; ending makes it see a new socket.
		s.refused <- status.Error
	}
	return &registration.RegistrationStatusResponse{}, nil
}

func main() {
	address := flag.String("csi-address", "/csi/csi.sock", "the driver's socket, as this program sees it")
	endpoint := flag.String("kubelet-registration-path", "", "the driver's socket, as kubelet sees it")
	directory := flag.String("plugin-registration-path", "/registration", "kubelet's directory of such sockets")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, *address, *endpoint, *directory); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address, endpoint, directory string) error {
	if endpoint == "" {
		return errors.New("--kubelet-registration-path is missing")
	}
	driver, err := driverName(ctx, address)
	if err != nil {
		return err
	}
	socket := filepath.Join(directory, driver+"-reg.sock")
	// One that a killed predecessor left would make listening fail.
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	defer os.Remove(socket)
	// Whoever may connect here may name the place of volumes: root alone.
	mask := syscall.Umask(0o077)
	listener, err := net.Listen("unix", socket)
	syscall.Umask(mask)
	if err != nil {
		return err
	}
	refused := make(chan string, 1)
	service := grpc.NewServer()
	registration.RegisterRegistrationServer(service, &server{driver: driver, endpoint: endpoint, refused: refused})
	ended := make(chan error, 1)
	go func() { ended <- service.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case reason := <-refused:
		return fmt.Errorf("kubelet refuses %s: %s", driver, reason)
	case <-ctx.Done():
		service.Stop()
		return nil
	}
}

// driverName asks until the driver answers: it may start after us.
func driverName(ctx context.Context, address string) (string, error) {
	connection, err := grpc.NewClient("unix://"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer connection.Close()
	identity := csi.NewIdentityClient(connection)
	for {
		call, cancel := context.WithTimeout(ctx, 10*time.Second)
		info, err := identity.GetPluginInfo(call, &csi.GetPluginInfoRequest{}, grpc.WaitForReady(true))
		cancel()
		if err == nil && info.GetName() != "" {
			return info.GetName(), nil
		}
		log.Printf("the driver at %s does not answer yet: %v", address, err)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
