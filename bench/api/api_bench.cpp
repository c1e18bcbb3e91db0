// Measures an API server over TLS from one thread; compare.py runs it and makes the table.
//
//     api_bench COMMAND --port N [--token-file FILE] ...
//
//     create  pods with unique names:      --connections N --seconds S | --count N, --namespace NAME
//     namespace  with what pods in it need: --namespace NAME
//     get     one path again and again:    --path PATH --accept TYPE --connections N --seconds S
//     fetch   one path, its body to stdout: --path PATH --accept TYPE
//     watch   delivery to many watchers:   --connections N --seconds S --rate EVENTS --namespace NAME
//     [--small-events] ready   until /readyz answers 200; ends after --seconds S
//
// Results are lines of "name value".
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "bench/api/load_client.h"

namespace {

using namespace keelson::bench;

struct Options {
    Target target;
    std::string name_space = "default";
    std::string path;
    std::string accept;
    int connections = 64;
    double seconds = 5;
    std::uint64_t count = 0;
    double rate = 50;
    bool pause = false;
    bool small_events = false;
};

// A pod as a Deployment with a sidecar would make it, about 1.5 KB.
std::string make_pod(const std::string& name, std::string_view annotation = "none") {
    std::string json =
        R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
        R"(","labels":{"app":"web","tier":"frontend","pod-template-hash":"5d4f8c7b9",)"
        R"("app.kubernetes.io/name":"web","app.kubernetes.io/part-of":"shop"},"annotations":{"sent":")";
    json += annotation;
    json +=
        R"(","prometheus.io/scrape":"true","prometheus.io/port":"9102"}},"spec":{"containers":[)"
        R"({"name":"web","image":"registry.example.com/shop/web:2.14.3","ports":[{"name":"http","containerPort":8080,)"
        R"("protocol":"TCP"}],"env":[{"name":"LOG_LEVEL","value":"info"},{"name":"POD_NAME","valueFrom":{"fieldRef":)"
        R"({"fieldPath":"metadata.name"}}},{"name":"DATABASE_URL","value":"postgres://db.shop.svc:5432/shop"}],)"
        R"("resources":{"requests":{"cpu":"100m","memory":"128Mi"},"limits":{"cpu":"500m","memory":"256Mi"}},)"
        R"("readinessProbe":{"httpGet":{"path":"/healthz","port":"http"},"initialDelaySeconds":2,"periodSeconds":5},)"
        R"("volumeMounts":[{"name":"config","mountPath":"/etc/web","readOnly":true},{"name":"cache","mountPath":"/cache"}]},)"
        R"({"name":"metrics","image":"registry.example.com/shop/exporter:0.9","args":["--listen=:9102","--target=http://127.0.0.1:8080"],)"
        R"("resources":{"requests":{"cpu":"10m","memory":"32Mi"}}}],"volumes":[{"name":"config","configMap":{"name":"web"}},)"
        R"({"name":"cache","emptyDir":{"sizeLimit":"64Mi"}}],"nodeSelector":{"kubernetes.io/os":"linux"},)"
        R"("tolerations":[{"key":"dedicated","operator":"Equal","value":"shop","effect":"NoSchedule"}],)"
        R"("serviceAccountName":"default","automountServiceAccountToken":false,"terminationGracePeriodSeconds":30}})";
    return json;
}

// The smallest object that is often watched.
std::string make_config_map(const std::string& name, std::string_view annotation) {
    return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name +
           R"(","annotations":{"sent":")" + std::string(annotation) +
           R"("}},"data":{"mode":"primary","peers":"web-0,web-1,web-2"}})";
}

std::string watched_path(const Options& options) {
    return "/api/v1/namespaces/" + options.name_space + (options.small_events ? "/configmaps" : "/pods");
}

std::string pods_path(const Options& options) {
    return "/api/v1/namespaces/" + options.name_space + "/pods";
}

void report(LoadResult& result) {
    std::printf(
        "answers %llu\nfailures %llu\nper_second %.0f\nmegabytes_per_second %.1f\np50_ms %.2f\np99_ms %.2f\n",
        static_cast<unsigned long long>(result.answers), static_cast<unsigned long long>(result.failures),
        static_cast<double>(result.answers) / result.seconds,
        static_cast<double>(result.bytes) / result.seconds / 1e6, percentile(result.latencies_ms, 0.5),
        percentile(result.latencies_ms, 0.99));
}

void measure_create(const Options& options) {
    const std::string prefix = "load-" + std::to_string(::getpid()) + "-";
    const std::string path = pods_path(options);
    std::uint64_t number = 0;
    auto next = [&] {
        return make_request(options.target, "POST", path, make_pod(prefix + std::to_string(number++)));
    };
    if (options.count == 0) {
        LoadResult result = run_load(options.target, options.connections, options.seconds, next);
        return report(result);
    }
    const auto context = make_client_context();
    Connection connection(context.get(), options.target, true);
    while (number < options.count) {
        connection.send(next());
        while (!connection.receive()) {
        }
        if (connection.answer().status() != 201) die("create: " + connection.answer().body());
    }
}

void measure_get(const Options& options) {
    const std::string request = make_request(options.target, "GET", options.path, {}, options.accept);
    LoadResult result =
        run_load(options.target, options.connections, options.seconds, [&] { return request; });
    report(result);
}

void print_body(const Options& options) {
    const auto context = make_client_context();
    const std::string body = fetch(context.get(), options.target,
                                   make_request(options.target, "GET", options.path, {}, options.accept));
    std::fwrite(body.data(), 1, body.size(), stdout);
}

// A namespace and the service account that pods there run as; either may be there already.
void make_namespace(const Options& options) {
    const auto context = make_client_context();
    Connection connection(context.get(), options.target, true);
    auto post = [&](const std::string& path, const std::string& kind, const std::string& name) {
        const std::string body =
            R"({"apiVersion":"v1","kind":")" + kind + R"(","metadata":{"name":")" + name + "\"}}";
        connection.send(make_request(options.target, "POST", path, body));
        while (!connection.receive()) {
        }
        const int status = connection.answer().status();
        if (status != 201 && status != 409) die("creating " + name + ": " + connection.answer().body());
    };
    post("/api/v1/namespaces", "Namespace", options.name_space);
    post("/api/v1/namespaces/" + options.name_space + "/serviceaccounts", "ServiceAccount", "default");
}

// Where a watch starts: the version of a list that is empty or short.
std::string current_version(SSL_CTX* context, const Options& options) {
    const std::string list = fetch(context, options.target,
                                   make_request(options.target, "GET", watched_path(options) + "?limit=1"));
    const std::string name = "\"resourceVersion\":\"";
    const std::size_t at = list.find(name) + name.size();
    return list.substr(at, list.find('"', at) - at);
}

std::int64_t now_nanoseconds() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

// Takes whole events out of the body and notes how long after sending each arrived.
void note_events(std::string& body, std::vector<float>& latencies_ms) {
    constexpr std::string_view name = "\"sent\":\"";
    std::size_t start = 0;
    for (std::size_t end = body.find('\n'); end != std::string::npos; end = body.find('\n', start)) {
        const void* found = ::memmem(body.data() + start, end - start, name.data(), name.size());
        if (found != nullptr) {
            const char* text = static_cast<const char*>(found) + name.size();
            const std::int64_t sent = std::strtoll(text, nullptr, 10);
            latencies_ms.push_back(static_cast<float>(now_nanoseconds() - sent) / 1e6F);
        }
        start = end + 1;
    }
    body.erase(0, start);
}

void write_events(const Options& options, int events) {
    const auto context = make_client_context();
    Connection connection(context.get(), options.target, true);
    const std::string prefix = "event-" + std::to_string(::getpid()) + "-";
    const auto interval = std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / options.rate));
    Clock::time_point due = Clock::now();
    for (int i = 0; i < events; ++i, due += interval) {
        std::this_thread::sleep_until(due);
        const std::string name = prefix + std::to_string(i);
        const std::string sent = std::to_string(now_nanoseconds());
        const std::string body = options.small_events ? make_config_map(name, sent) : make_pod(name, sent);
        connection.send(make_request(options.target, "POST", watched_path(options), body));
        while (!connection.receive()) {
        }
        if (connection.answer().status() != 201) die("create: " + connection.answer().body());
    }
}

// A part of the watchers, served by one thread.
class Watchers {
  public:
    Watchers(SSL_CTX* context, const Options& options, const std::string& request, int count) {
        for (int i = 0; i < count; ++i) {
            all_.push_back(std::make_unique<Connection>(context, options.target, true));
            all_.back()->send(request);
            poller_.add(*all_.back());
        }
        for (int started = 0; started < count;) {
            poll();
            started = 0;
            for (const auto& watcher : all_) started += watcher->answer().status() == 200 ? 1 : 0;
        }
    }

    // Until each watcher has had that many events, or the time is over.
    void run(int events, Clock::time_point deadline) {
        const std::size_t expected = static_cast<std::size_t>(events) * all_.size();
        while (latencies_ms.size() < expected && Clock::now() < deadline) poll();
    }

    std::vector<float> latencies_ms;

  private:
    void poll() {
        poller_.poll(100, [this](Connection& connection) {
            connection.receive();
            note_events(connection.answer().body(), latencies_ms);
        });
    }

    Poller poller_;
    std::vector<std::unique_ptr<Connection>> all_;
};

// With --pause it prints "watching" once all watchers stand and goes on at a line from stdin, so that the
// server's memory can be looked at.
void measure_watch(const Options& options) {
    const auto context = make_client_context();
    // A thousand connections that each fill a buffer of their own would find none of them in a cache.
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_read_buffer_len(context.get(), 0);
    const std::string version = current_version(context.get(), options);
    const std::string request =
        make_request(options.target, "GET", watched_path(options) + "?watch=true&resourceVersion=" + version);
    Watchers first(context.get(), options, request, options.connections / 2);
    Watchers second(context.get(), options, request, options.connections - options.connections / 2);
    if (options.pause) {
        std::puts("watching");
        std::fflush(stdout);
        std::getchar();
    }
    const int events = static_cast<int>(options.rate * options.seconds);
    const Clock::time_point deadline =
        Clock::now() + std::chrono::seconds(static_cast<int>(options.seconds) + 10);
    std::thread writer(write_events, options, events);
    std::thread other([&] { second.run(events, deadline); });
    first.run(events, deadline);
    other.join();
    writer.join();
    std::vector<float> latencies_ms = std::move(first.latencies_ms);
    latencies_ms.insert(latencies_ms.end(), second.latencies_ms.begin(), second.latencies_ms.end());
    const std::size_t delivered = latencies_ms.size();
    const std::size_t expected =
        static_cast<std::size_t>(events) * static_cast<std::size_t>(options.connections);
    const double p50 = percentile(latencies_ms, 0.5);
    const double p99 = percentile(latencies_ms, 0.99);
    std::printf("delivered %zu\nexpected %zu\np50_ms %.2f\np99_ms %.2f\n", delivered, expected, p50, p99);
}

// Whether somebody listens there; a connection attempt that is refused costs next to nothing.
bool listens(const Target& target) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(target.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool connected =
        ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(descriptor);
    return connected;
}

// Prints when /readyz answered, as nanoseconds of the monotonic clock.
void wait_until_ready(const Options& options) {
    const Clock::time_point deadline =
        Clock::now() + std::chrono::milliseconds(static_cast<int>(options.seconds * 1000));
    while (!listens(options.target)) {
        if (Clock::now() > deadline) die("nobody listens there");
        std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    const auto context = make_client_context();
    (void)fetch(context.get(), options.target, make_request(options.target, "GET", "/readyz"));
    std::printf("ready_ns %lld\n", static_cast<long long>(now_nanoseconds()));
}

std::string read_line(const char* path) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line)) die(std::string("cannot read ") + path);
    return line;
}

Options parse(int count, char** arguments) {
    Options options;
    for (int i = 2; i < count; ++i) {
        const std::string flag = arguments[i];
        if (flag == "--pause" || flag == "--small-events") {
            (flag == "--pause" ? options.pause : options.small_events) = true;
            continue;
        }
        if (++i == count) die("a value is missing after " + flag);
        const char* value = arguments[i];
        if (flag == "--port")
            options.target.port = static_cast<std::uint16_t>(std::atoi(value));
        else if (flag == "--token-file")
            options.target.token = read_line(value);
        else if (flag == "--namespace")
            options.name_space = value;
        else if (flag == "--path")
            options.path = value;
        else if (flag == "--accept")
            options.accept = value;
        else if (flag == "--connections")
            options.connections = std::atoi(value);
        else if (flag == "--seconds")
            options.seconds = std::atof(value);
        else if (flag == "--count")
            options.count = static_cast<std::uint64_t>(std::atoll(value));
        else if (flag == "--rate")
            options.rate = std::atof(value);
        else
            die("unknown option " + flag);
    }
    return options;
}

}  // namespace

int main(int count, char** arguments) {
    const std::string command = count > 1 ? arguments[1] : "";
    const Options options = parse(count, arguments);
    if (command == "create")
        measure_create(options);
    else if (command == "get")
        measure_get(options);
    else if (command == "namespace")
        make_namespace(options);
    else if (command == "fetch")
        print_body(options);
    else if (command == "watch")
        measure_watch(options);
    else if (command == "ready")
        wait_until_ready(options);
    else
        die("usage: see the head of api_bench.cpp");
    return 0;
}
