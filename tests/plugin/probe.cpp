// A plugin that does what its requests say, good and bad: for the tests of the plugin host. Built several
// times: as version 1.0.0 and 2.0.0, with and without keelson.handover.
#include <keelson/auth.h>
#include <keelson/host.h>
#include <keelson/volume.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {

using nlohmann::json;

// One a load of the library, if the host does as it should.
std::atomic<int> statics{0};

// Follows the changes of config maps in a thread of its own, as plugins do.
struct Follower {
    std::thread thread;
    std::int32_t is_over = 0;
    std::mutex mutex;
    std::vector<std::string> seen;
    std::map<std::int32_t, int> failures;  // by status
};

struct Probe {
    const keelson_host* host = nullptr;
    Follower follower;
    json config;
    std::atomic<int> calls{0};
    std::mutex stuck;
    bool started = false;
    bool quiet = false;
};

std::int32_t answer(keelson_reply* reply, const json& document, std::int32_t status = KEELSON_OK) {
    const std::string text = document.dump();
    // In pieces: a reply may be.
    reply->write(reply->context, text.data(), text.size() / 2);
    reply->write(reply->context, text.data() + text.size() / 2, text.size() - text.size() / 2);
    return status;
}

json parse(keelson_bytes bytes) {
    return json::parse(bytes.data, bytes.data + bytes.size, nullptr, false);
}

keelson_bytes bytes(const std::string& text) {
    return {text.data(), text.size()};
}

void wait_until_cancelled(const keelson_call* call, int limit_ms) {
    for (int i = 0; i < limit_ms && !keelson_is_cancelled(call); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

[[noreturn]] void fork_for_ever() {
    while (true)
        if (::fork() < 0) std::_Exit(9);
}

void take_text(void* context, const char* data, std::size_t size) {
    static_cast<std::string*>(context)->append(data, size);
}

struct Asked {
    std::int32_t status;
    std::string text;
};

Asked ask_objects(const Probe& probe, const std::string& verb, const std::string& request,
                  std::int64_t deadline_us, const std::int32_t* cancelled) {
    const auto* table = static_cast<const keelson_host_objects*>(
        probe.host->service(probe.host->context, KEELSON_HOST_OBJECTS));
    if (!table) return {KEELSON_UNSUPPORTED, R"({"message":"no service"})"};
    const keelson_method method = verb == "get" ? table->get : verb == "list" ? table->list : table->watch;
    Asked asked{};
    const keelson_call call{sizeof call, 0, nullptr, deadline_us, cancelled, ""};
    keelson_reply reply{sizeof reply, &asked.text, take_text, nullptr};
    asked.status = method(probe.host->context, &call, bytes(request), &reply);
    return asked;
}

void follow(Probe& probe, std::string version) {
    Follower& follower = probe.follower;
    while (!__atomic_load_n(&follower.is_over, __ATOMIC_RELAXED)) {
        const json request{{"apiVersion", "v1"}, {"resource", "configmaps"}, {"resourceVersion", version}};
        const Asked asked = ask_objects(probe, "watch", request.dump(), 0, &follower.is_over);
        const std::lock_guard lock(follower.mutex);
        if (asked.status != KEELSON_OK) {
            ++follower.failures[asked.status];
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            continue;
        }
        const json answer = json::parse(asked.text);
        for (const json& event : answer["events"])
            follower.seen.push_back(event["type"].get<std::string>() + " " +
                                    event["object"]["metadata"]["name"].get<std::string>());
        version = answer["resourceVersion"].get<std::string>();
    }
}

void end_following(Probe& probe) {
    __atomic_store_n(&probe.follower.is_over, 1, __ATOMIC_RELAXED);
    if (probe.follower.thread.joinable()) probe.follower.thread.join();
}

std::int32_t serve_objects(Probe& probe, const keelson_call* call, const json& document,
                           keelson_reply* reply) {
    if (document.contains("follow")) {
        probe.follower.thread = std::thread(
            [&probe, version = document["follow"].get<std::string>()] { follow(probe, version); });
        return answer(reply, json::object());
    }
    if (document.contains("followed")) {
        const std::lock_guard lock(probe.follower.mutex);
        json failures = json::object();
        for (const auto& [status, count] : probe.follower.failures) failures[std::to_string(status)] = count;
        return answer(reply, {{"seen", probe.follower.seen}, {"failures", failures}});
    }
    const std::string request =
        document.contains("raw") ? document["raw"].get<std::string>() : document["request"].dump();
    const std::int64_t wait_ms = document.value("waitMs", std::int64_t{0});
    const std::int64_t deadline_us =
        wait_ms == 0 ? 0 : probe.host->monotonic_us(probe.host->context) + wait_ms * 1000;
    const Asked asked =
        ask_objects(probe, document.value("verb", "get"), request, deadline_us, call->cancelled);
    return answer(reply, {{"status", asked.status}, {"reply", json::parse(asked.text, nullptr, false)}});
}

// {"do": "..."}; anything else is echoed.
std::int32_t stats(void* self, const keelson_call* call, keelson_bytes request, keelson_reply* reply) {
    auto& probe = *static_cast<Probe*>(self);
    ++probe.calls;
    const json document = parse(request);
    const std::string what = document.is_object() ? document.value("do", "") : "";
    if (what == "crash") *static_cast<volatile int*>(nullptr) = 1;  // NOLINT: it is to crash
    if (what == "abort") std::abort();
    if (what == "exit") std::_Exit(3);
    if (what == "throw") throw std::runtime_error("out of the plugin");
    if (what == "loop")
        while (true) probe.calls.fetch_add(1, std::memory_order_relaxed);
    if (what == "deadlock") {
        probe.stuck.lock();
        probe.stuck.lock();
    }
    if (what == "fork") fork_for_ever();
    if (what == "allocate") {
        for (int i = 0; i < 1024; ++i) {
            auto* block = static_cast<char*>(std::malloc(1 << 20));
            for (int at = 0; block && at < 1 << 20; at += 4096) block[at] = 1;
        }
    }
    if (what == "wait") wait_until_cancelled(call, document.value("ms", 1000));
    if (what == "print") std::fputs("printed by the plugin\n", stderr);
    if (what == "log") probe.host->log(probe.host->context, KEELSON_LOG_WARN, bytes("logged by the plugin"));
    if (what == "reconcile") probe.host->request_reconcile(probe.host->context, bytes("volume/a"));
    if (what == "event") probe.host->event(probe.host->context, bytes(R"({"reason":"Probed"})"));
    if (what == "metric")
        probe.host->metric(probe.host->context, KEELSON_GAUGE, "probe_depth", 7, bytes(R"({"disk":"a"})"));
    if (what == "refuse")
        return answer(reply, {{"message", "no such disk"}, {"field", "disk"}}, KEELSON_NOT_FOUND);
    if (what == "silent") return KEELSON_OK;
    if (what == "objects") return serve_objects(probe, call, document, reply);
    if (what == "describe")
        return answer(reply, {{"version", PROBE_VERSION},
                              {"config", probe.config},
                              {"calls", probe.calls.load()},
                              {"statics", statics.load()},
                              {"process", ::getpid()},
                              {"traceparent", call->traceparent},
                              {"state", probe.host->state_directory},
                              {"node", probe.host->node_name}});
    if (what == "pass") {
        char text[64] = {};
        const auto count = ::read(call->descriptors[0], text, sizeof text);
        int ends[2];
        if (::pipe(ends) != 0) return KEELSON_INTERNAL;
        (void)!::write(ends[1], "from the plugin", 15);
        reply->pass_descriptor(reply->context, ends[0]);
        ::close(ends[0]);
        ::close(ends[1]);
        return answer(reply, {{"read", std::string(text, static_cast<std::size_t>(count))}});
    }
    return answer(reply, document.is_discarded() ? json::object() : document);
}

std::int32_t authenticate(void* self, const keelson_call* call, keelson_bytes request, keelson_reply* reply) {
    auto& probe = *static_cast<Probe*>(self);
    ++probe.calls;
    const json document = parse(request);
    if (document.is_object() && document.value("do", "") == "objects")
        return serve_objects(probe, call, document, reply);
    constexpr char kAnswer[] = R"({"authenticated":true,"user":{"username":"probe"},"ttlSeconds":0})";
    reply->write(reply->context, kAnswer, sizeof kAnswer - 1);
    return KEELSON_OK;
}

std::int32_t start(void* self, const keelson_call*, keelson_bytes request, keelson_reply* reply) {
    auto& probe = *static_cast<Probe*>(self);
    probe.config = parse(request);
    if (probe.config.value("refuseStart", "") == PROBE_VERSION)
        return answer(reply, {{"message", "told to refuse"}}, KEELSON_INVALID);
    probe.started = true;
    return answer(reply, json::object());
}

std::int32_t stop(void* self, const keelson_call*, keelson_bytes, keelson_reply* reply) {
    end_following(*static_cast<Probe*>(self));
    static_cast<Probe*>(self)->started = false;
    return answer(reply, json::object());
}

std::int32_t health(void* self, const keelson_call*, keelson_bytes, keelson_reply* reply) {
    auto& probe = *static_cast<Probe*>(self);
    if (probe.config.value("sick", "") == PROBE_VERSION)
        return answer(reply, {{"healthy", false}, {"message", "told to be sick"}});
    return answer(reply, {{"healthy", probe.started}});
}

constexpr keelson_volume make_volume() {
    keelson_volume table{};
    table.struct_size = sizeof table;
    table.stats = stats;
    return table;
}
constexpr keelson_volume kVolume = make_volume();
constexpr keelson_authenticator kAuthenticator{sizeof(keelson_authenticator), authenticate};

#ifdef PROBE_HANDOVER
std::int32_t quiesce(void* self, const keelson_call*, keelson_bytes, keelson_reply* reply) {
    static_cast<Probe*>(self)->quiet = true;
    return answer(reply, json::object());
}
std::int32_t give(void* self, const keelson_call*, keelson_bytes, keelson_reply* reply) {
    return answer(reply, {{"state", {{"calls", static_cast<Probe*>(self)->calls.load()}}}});
}
std::int32_t adopt(void* self, const keelson_call*, keelson_bytes request, keelson_reply* reply) {
    auto& probe = *static_cast<Probe*>(self);
    if (probe.config.value("refuseAdopt", "") == PROBE_VERSION)
        return answer(reply, {{"message", "told not to adopt"}}, KEELSON_INTERNAL);
    probe.calls = parse(request)["state"]["calls"].get<int>();
    return answer(reply, json::object());
}
std::int32_t resume(void* self, const keelson_call*, keelson_bytes, keelson_reply* reply) {
    static_cast<Probe*>(self)->quiet = false;
    return answer(reply, json::object());
}
constexpr keelson_handover kHandover{sizeof(keelson_handover), quiesce, give, adopt, resume};
#endif

const void* capability(void*, const char* id) {
    const std::string wanted = id;
    if (wanted == KEELSON_VOLUME) return &kVolume;
    if (wanted == KEELSON_AUTHENTICATOR) return &kAuthenticator;
#ifdef PROBE_HANDOVER
    if (wanted == KEELSON_HANDOVER) return &kHandover;
#endif
    return nullptr;
}

void destroy(void* self) {
    delete static_cast<Probe*>(self);
}

std::int32_t create(std::uint32_t, const keelson_host* host, keelson_instance* instance, keelson_reply*) {
    ++statics;
    auto* probe = new Probe;
    probe->host = host;
    instance->struct_size = sizeof *instance;
    instance->self = probe;
    instance->start = start;
    instance->stop = stop;
    instance->health = health;
    instance->capability = capability;
    instance->destroy = destroy;
    return KEELSON_OK;
}

}  // namespace

const keelson_entry* keelson_plugin(void) {
    static const keelson_entry entry{sizeof(keelson_entry), 1, 1, "com.example.probe", PROBE_VERSION, create};
    return &entry;
}
