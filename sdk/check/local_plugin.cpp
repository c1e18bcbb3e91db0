#include "local_plugin.h"

#include <dlfcn.h>

#include <cstring>
#include <deque>
#include <exception>
#include <mutex>

#include "board.h"
#include "guard.h"
#include "memory_map.h"
#include "replies.h"
#include "reply_sinks.h"

namespace keelson::check {
namespace {

// What a method gets by pointer.
struct Frame {
    std::string request;
    std::string traceparent;
    std::vector<int> descriptors;
    std::int32_t cancelled = 0;
    keelson_call call{};
    keelson_reply reply{};
};

// Frames of calls that are over stay readable for a while: only the cases about late use punish it.
Frame& new_frame() {
    constexpr std::size_t kept_frames = 8192;
    static std::mutex lock;
    static auto* frames = new std::deque<std::unique_ptr<Frame>>;
    const std::lock_guard held(lock);
    if (frames->size() >= kept_frames) frames->pop_front();
    return *frames->emplace_back(std::make_unique<Frame>());
}

Frame& fill_frame(std::string_view request, const CallSetup& setup, const ReplySink& sink) {
    Frame& frame = new_frame();
    frame.request = request;
    frame.traceparent = setup.traceparent;
    frame.descriptors = setup.descriptors;
    frame.cancelled = setup.is_cancelled ? 1 : 0;
    frame.call = {setup.call_size,          static_cast<std::uint32_t>(frame.descriptors.size()),
                  frame.descriptors.data(), setup.deadline_us,
                  &frame.cancelled,         frame.traceparent.c_str()};
    frame.reply = sink.table();
    frame.reply.struct_size = setup.reply_size;
    return frame;
}

// The one place where the plugin's methods are entered.
void enter(keelson_method method, void* self, const keelson_call* call, keelson_bytes request,
           keelson_reply* reply, Answer& answer) {
    const auto begin = std::chrono::steady_clock::now();
    try {
        answer.status = method(self, call, request, reply);
    } catch (const std::exception& error) {
        answer.has_thrown = true;
        answer.exception = error.what();
    } catch (...) {
        answer.has_thrown = true;
        answer.exception = "of a type of its own";
    }
    answer.duration =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
}

void enter_guarded(keelson_method method, void* self, Frame& frame, bool expires, Answer& answer) {
    GuardedBytes traceparent("the traceparent", frame.traceparent.c_str(), frame.traceparent.size() + 1);
    GuardedBytes descriptors("the list of descriptors", frame.descriptors.data(),
                             frame.descriptors.size() * sizeof(int));
    frame.call.traceparent = static_cast<const char*>(traceparent.data());
    frame.call.descriptors = static_cast<const int*>(descriptors.data());
    GuardedBytes call("struct keelson_call", &frame.call, frame.call.struct_size);
    GuardedBytes reply("struct keelson_reply", &frame.reply, frame.reply.struct_size);
    GuardedBytes request("the request", frame.request.data(), frame.request.size());
    enter(method, self, static_cast<const keelson_call*>(call.data()),
          {static_cast<const char*>(request.data()), frame.request.size()},
          static_cast<keelson_reply*>(reply.data()), answer);
    if (!expires) return;
    for (GuardedBytes* over : {&traceparent, &descriptors, &call, &reply, &request}) over->expire();
}

Answer invoke(const std::string& name, keelson_method method, void* self, std::string_view request,
              const CallSetup& setup) {
    if (setup.sets_phase) {
        std::string phase = "calling " + name;
        if (!setup.label.empty()) phase += " with " + setup.label;
        board().set_phase(phase + ", request " + printable(request));
    }
    Answer answer;
    ReplySink sink;
    Frame& frame = fill_frame(request, setup, sink);
    if (setup.is_guarded) {
        enter_guarded(method, self, frame, setup.expires, answer);
    } else {
        enter(method, self, &frame.call, {frame.request.data(), frame.request.size()}, &frame.reply, answer);
    }
    sink.close(answer);
    if (setup.sets_phase) board().set_phase("waiting after " + name + " had returned");
    return answer;
}

}  // namespace

LocalPlugin::LocalPlugin(const std::string& path) {
    board().set_phase("loading the shared object");
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw std::runtime_error(::dlerror());
    function_ = reinterpret_cast<keelson_plugin_function>(::dlsym(handle, KEELSON_PLUGIN_SYMBOL));
}

const keelson_entry& LocalPlugin::entry() const {
    if (function_ == nullptr) throw std::runtime_error("it does not export " KEELSON_PLUGIN_SYMBOL);
    board().set_phase("calling " KEELSON_PLUGIN_SYMBOL "()");
    const keelson_entry* entry = function_();
    if (entry == nullptr) throw std::runtime_error(KEELSON_PLUGIN_SYMBOL "() answered null");
    if (!KEELSON_HAS_FIELD(entry, keelson_entry, create)) throw std::runtime_error("the entry is too short");
    return *entry;
}

LocalInstance::LocalInstance(const LocalPlugin& plugin, const keelson_host* host, std::uint32_t abi) {
    const keelson_entry& entry = plugin.entry();
    instance_.struct_size = sizeof instance_;
    board().set_phase("calling create with ABI " + std::to_string(abi));
    Answer answer;
    ReplySink sink;
    keelson_reply reply = sink.table();
    try {
        answer.status = entry.create(abi, host, &instance_, &reply);
    } catch (...) {
        answer.has_thrown = true;
    }
    sink.close(answer);
    board().set_phase("waiting after create had returned");
    if (answer.has_thrown) throw CreateFailure("a C++ exception came out of create", answer);
    if (answer.status != KEELSON_OK) throw CreateFailure("create answered " + describe(answer), answer);
}

Answer LocalInstance::start(std::string_view configuration) {
    return invoke("start", instance_.start, instance_.self, configuration, {});
}

Answer LocalInstance::stop() {
    return invoke("stop", instance_.stop, instance_.self, "{}", {});
}

Answer LocalInstance::health(const CallSetup& setup) {
    return invoke("health", instance_.health, instance_.self, "{}", setup);
}

const void* LocalInstance::table(const char* id) const {
    board().set_phase("calling capability(\"" + printable(id) + "\")");
    return instance_.capability(instance_.self, id);
}

namespace {

keelson_method method_in(const void* table, const MethodReference& method) {
    if (table == nullptr) return nullptr;
    std::uint32_t struct_size = 0;
    std::memcpy(&struct_size, table, sizeof struct_size);
    if (struct_size < method.method->offset + sizeof(keelson_method)) return nullptr;
    keelson_method found = nullptr;
    std::memcpy(&found, static_cast<const char*>(table) + method.method->offset, sizeof found);
    return found;
}

}  // namespace

bool LocalInstance::has(const MethodReference& method) {
    return method_in(table(method.capability->id), method) != nullptr;
}

Answer LocalInstance::call(const MethodReference& method, std::string_view request, const CallSetup& setup) {
    const void* found = instance_.capability(instance_.self, method.capability->id);
    return invoke(method.name(), method_in(found, method), instance_.self, request, setup);
}

void LocalInstance::destroy() {
    board().set_phase("calling destroy");
    instance_.destroy(instance_.self);
    board().set_phase("waiting after destroy had returned");
}

}  // namespace keelson::check
