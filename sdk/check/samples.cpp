#include "samples.h"

namespace keelson::check {
namespace {

// One line a method, in the order of the headers that describe them.
constexpr Sample samples[] = {
    {"keelson.auth.authenticator/0 authenticate",
     R"({"token":"keelson-check-not-a-token","audiences":["https://kubernetes.default.svc"]})"},
    {"keelson.auth.authorizer/0 authorize",
     R"({"user":"keelson-check-nobody","groups":["keelson-check"],"uid":"0","extra":{},"resourceAttributes":)"
     R"({"verb":"get","group":"","version":"v1","resource":"pods","namespace":"default","name":"web"}})"},
    {"keelson.auth.token-issuer/0 issue",
     R"({"serviceAccount":{"namespace":"default","name":"default","uid":"5f2a3c1e-0000-4000-8000-000000000001"},)"
     R"("audiences":["https://kubernetes.default.svc"],"expirationSeconds":3600})"},
    {"keelson.volume/0 create",
     R"({"name":"pvc-keelson-check","capacityBytes":1048576,"capabilities":[{"accessMode":"ReadWriteOnce",)"
     R"("volumeMode":"Filesystem"}],"parameters":{}})"},
    {"keelson.volume/0 remove", R"({"volumeId":"keelson-check-unknown"})"},
    {"keelson.volume/0 attach",
     R"({"volumeId":"keelson-check-unknown","nodeId":"keelson-check-node","capability":)"
     R"({"accessMode":"ReadWriteOnce","volumeMode":"Filesystem"},"readOnly":false,"attributes":{}})"},
    {"keelson.volume/0 detach", R"({"volumeId":"keelson-check-unknown","nodeId":"keelson-check-node"})"},
    {"keelson.volume/0 stage",
     R"({"volumeId":"keelson-check-unknown","path":"$DIR/stage","capability":)"
     R"({"accessMode":"ReadWriteOnce","volumeMode":"Filesystem"},"attributes":{}})"},
    {"keelson.volume/0 unstage", R"({"volumeId":"keelson-check-unknown","path":"$DIR/stage"})"},
    {"keelson.volume/0 publish",
     R"({"volumeId":"keelson-check-unknown","path":"$DIR/publish","capability":)"
     R"({"accessMode":"ReadWriteOnce","volumeMode":"Filesystem"},"readOnly":false,"attributes":{},"pod":)"
     R"({"name":"web","namespace":"default","uid":"5f2a3c1e-0000-4000-8000-000000000002",)"
     R"("serviceAccountName":"default"}})"},
    {"keelson.volume/0 unpublish", R"({"volumeId":"keelson-check-unknown","path":"$DIR/publish"})"},
    {"keelson.volume/0 expand", R"({"volumeId":"keelson-check-unknown","capacityBytes":2097152,"capability":)"
                                R"({"accessMode":"ReadWriteOnce","volumeMode":"Filesystem"}})"},
    {"keelson.volume/0 node_expand",
     R"({"volumeId":"keelson-check-unknown","path":"$DIR/stage","capacityBytes":2097152,"capability":)"
     R"({"accessMode":"ReadWriteOnce","volumeMode":"Filesystem"}})"},
    {"keelson.volume/0 stats", R"({"volumeId":"keelson-check-unknown","path":"$DIR/publish"})"},
    {"keelson.volume.snapshot/0 create",
     R"({"name":"snapshot-keelson-check","volumeId":"keelson-check-unknown","parameters":{}})"},
    {"keelson.volume.snapshot/0 remove", R"({"snapshotId":"keelson-check-unknown"})"},
    {"keelson.network.pod/0 configure",
     R"({"node":{"name":"keelson-check-node","addresses":["192.0.2.1"],"podCidrs":["198.51.100.0/24"]},"peers":[]})"},
    {"keelson.network.pod/0 attach",
     R"({"sandboxId":"keelson-check-unknown","pod":{"name":"web","namespace":"default",)"
     R"("uid":"5f2a3c1e-0000-4000-8000-000000000002"},"hostPorts":[]})"},
    {"keelson.network.pod/0 detach", R"({"sandboxId":"keelson-check-unknown"})"},
    {"keelson.network.proxy/0 configure",
     R"({"node":{"name":"keelson-check-node","addresses":["192.0.2.1"],"podCidrs":["198.51.100.0/24"]},)"
     R"("clusterCidrs":["198.51.100.0/24"]})"},
    {"keelson.network.proxy/0 apply",
     R"({"generation":1,"full":false,"set":[],"removed":["keelson-check-unknown"]})"},
    {"keelson.network.dns/0 configure",
     R"({"listen":["127.0.0.1:0"],"zone":"keelson-check.invalid","upstreams":[],"podNames":true})"},
    {"keelson.network.dns/0 apply", R"({"generation":1,"full":false,"set":[],"removed":[]})"},
    {"keelson.runtime/0 run_sandbox",
     R"({"sandboxId":"keelson-check-sandbox","pod":{"name":"web","namespace":"default",)"
     R"("uid":"5f2a3c1e-0000-4000-8000-000000000002","annotations":{}},"hostname":"web","logDirectory":"$DIR/logs",)"
     R"("cgroupParent":"keelson-check","namespaces":{"network":"host","pid":"container","ipc":"pod","user":"host"}})"},
    {"keelson.runtime/0 stop_sandbox", R"({"sandboxId":"keelson-check-unknown"})"},
    {"keelson.runtime/0 remove_sandbox", R"({"sandboxId":"keelson-check-unknown"})"},
    {"keelson.runtime/0 create_container",
     R"({"sandboxId":"keelson-check-unknown","containerId":"keelson-check-container","name":"main","attempt":0,)"
     R"("imageId":"keelson-check-unknown","command":["true"],"args":[],"environment":[],"mounts":[],"resources":{},)"
     R"("security":{},"logPath":"$DIR/log","tty":false,"stdin":false})"},
    {"keelson.runtime/0 start_container", R"({"containerId":"keelson-check-unknown"})"},
    {"keelson.runtime/0 stop_container", R"({"containerId":"keelson-check-unknown","graceSeconds":0})"},
    {"keelson.runtime/0 remove_container", R"({"containerId":"keelson-check-unknown"})"},
    {"keelson.runtime/0 update_resources", R"({"containerId":"keelson-check-unknown","resources":{}})"},
    {"keelson.runtime/0 exec",
     R"({"containerId":"keelson-check-unknown","command":["true"],"tty":false,"stdin":false,"stdout":true,"stderr":true})"},
    {"keelson.runtime/0 attach",
     R"({"containerId":"keelson-check-unknown","stdin":false,"stdout":true,"stderr":true})"},
    {"keelson.runtime/0 resize", R"({"containerId":"keelson-check-unknown","columns":80,"rows":25})"},
    {"keelson.runtime/0 port_forward", R"({"sandboxId":"keelson-check-unknown","port":80})"},
    {"keelson.runtime/0 reopen_log", R"({"containerId":"keelson-check-unknown"})"},
    {"keelson.runtime.images/0 pull", R"({"image":"keelson-check.invalid/nothing:1"})"},
    {"keelson.runtime.images/0 remove", R"({"imageId":"keelson-check-unknown"})"},
    {"keelson.ingress/0 apply",
     R"({"generation":1,"full":false,"set":[],"removed":["keelson-check-unknown"]})"},
    {"keelson.ingress.load-balancer/0 ensure",
     R"({"service":{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"default",)"
     R"("uid":"5f2a3c1e-0000-4000-8000-000000000003"},"spec":{"type":"LoadBalancer","ports":[{"port":80}]}},"nodes":[]})"},
    {"keelson.ingress.load-balancer/0 remove",
     R"({"service":{"namespace":"default","name":"web","uid":"5f2a3c1e-0000-4000-8000-000000000003"}})"},
};

}  // namespace

std::string_view sample_text(std::string_view method) {
    for (const Sample& sample : samples) {
        if (sample.method == method) return sample.request;
    }
    return "{}";
}

}  // namespace keelson::check
