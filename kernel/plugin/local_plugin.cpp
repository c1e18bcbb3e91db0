#include "kernel/plugin/local_plugin.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <keelson/capabilities.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cstring>
#include <mutex>

#include "kernel/plugin/messages.h"
#include "kernel/plugin/objects_table.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::size_t kReplyLimitBytes = std::size_t{16} << 20;
constexpr std::size_t kReplyDescriptors = 16;
constexpr std::uint32_t kTableLimitBytes = 4096;  // no table of any version is as large
constexpr std::size_t kLogLineBytes = 8 << 10;

std::string_view view(keelson_bytes bytes) {
    return bytes.data ? std::string_view(bytes.data, bytes.size) : std::string_view();
}

// --- the reply sink ---

struct ReplyBuffer {
    Outcome outcome;
    bool is_too_large = false;
};

void write_reply(void* context, const char* data, std::size_t size) {
    auto& buffer = *static_cast<ReplyBuffer*>(context);
    if (size > kReplyLimitBytes - buffer.outcome.body.size())
        buffer.is_too_large = true;
    else if (size > 0)
        buffer.outcome.body.append(data, size);
}

std::int32_t pass_descriptor(void* context, int descriptor) {
    auto& buffer = *static_cast<ReplyBuffer*>(context);
    if (buffer.outcome.descriptors.size() >= kReplyDescriptors) return KEELSON_EXHAUSTED;
    base::FileDescriptor copy(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
    if (!copy) return KEELSON_EXHAUSTED;
    buffer.outcome.descriptors.push_back(std::move(copy));
    return KEELSON_OK;
}

keelson_reply reply_into(ReplyBuffer& buffer) {
    return {sizeof(keelson_reply), &buffer, write_reply, pass_descriptor};
}

// --- the host table ---

template <ObjectVerb verb>
std::int32_t ask_host_objects(void* context, const keelson_call* call, keelson_bytes request,
                              keelson_reply* reply);

constexpr keelson_host_objects kObjectsTable{sizeof(keelson_host_objects), ask_host_objects<ObjectVerb::get>,
                                             ask_host_objects<ObjectVerb::list>,
                                             ask_host_objects<ObjectVerb::watch>};

struct Host {
    explicit Host(HostServices given) : services(std::move(given)) {
        table.struct_size = sizeof table;
        table.context = this;
        table.state_directory = services.state_directory.c_str();
        table.node_name = services.node_name.c_str();
        table.log = [](void* context, std::int32_t level, keelson_bytes message) {
            auto& self = *static_cast<Host*>(context);
            self.services.log(level, view(message).substr(0, kLogLineBytes));
        };
        table.metric = [](void* context, std::int32_t kind, const char* name, double value,
                          keelson_bytes labels) {
            auto& self = *static_cast<Host*>(context);
            self.services.metric(kind, name, value, view(labels));
        };
        table.event = [](void* context, keelson_bytes event) {
            static_cast<Host*>(context)->services.event(view(event));
        };
        table.request_reconcile = [](void* context, keelson_bytes key) {
            static_cast<Host*>(context)->services.reconcile(view(key));
        };
        table.monotonic_us = [](void* context) {
            return static_cast<Host*>(context)->services.monotonic_us();
        };
        table.unix_us = [](void* context) { return static_cast<Host*>(context)->services.unix_us(); };
        table.service = [](void* context, const char* id) -> const void* {
            const bool is_objects = id && std::string_view(id) == KEELSON_HOST_OBJECTS;
            return is_objects && static_cast<Host*>(context)->services.objects ? &kObjectsTable : nullptr;
        };
    }
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    HostServices services;
    keelson_host table{};
};

template <ObjectVerb verb>
std::int32_t ask_host_objects(void* context, const keelson_call* call, keelson_bytes request,
                              keelson_reply* reply) {
    return ask_objects(*static_cast<Host*>(context)->services.objects, verb, call, request, reply);
}

// --- the library ---

// Code that ran in this process stays in it: a second thread may be on its way out of it, and destructors of
// thread locals may be registered. So libraries are kept for ever.
void keep_loaded(boost::dll::shared_library library) {
    static std::mutex mutex;
    static auto& kept = *new std::vector<boost::dll::shared_library>;
    const std::lock_guard lock(mutex);
    kept.push_back(std::move(library));
}

Result<const keelson_entry*> open_entry(const std::string& path) {
    boost::dll::fs::error_code error;
    // Local: symbols of one plugin never reach another. Now: what is missing shows here, not in the middle of
    // a call.
    boost::dll::shared_library library(
        path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local, error);
    if (error) {
        // Of what the dynamic linker says, the error code keeps nothing.
        const char* why = ::dlerror();
        return Status(Reason::bad_request,
                      "the library cannot be loaded: " + (why ? std::string(why) : error.message()));
    }
    if (!library.has(KEELSON_PLUGIN_SYMBOL))
        return Status(Reason::bad_request, "the library does not export " KEELSON_PLUGIN_SYMBOL);
    const auto entry = library.get<const keelson_entry*()>(KEELSON_PLUGIN_SYMBOL);
    keep_loaded(library);
    const keelson_entry* table = entry();
    if (!table) return Status(Reason::bad_request, KEELSON_PLUGIN_SYMBOL "() returned nothing");
    return table;
}

Result<std::uint32_t> negotiate(const keelson_entry& entry, std::string_view id, std::string_view version) {
    if (!KEELSON_HAS_FIELD(&entry, keelson_entry, create) || !entry.id || !entry.version || !entry.create)
        return Status(Reason::bad_request, "the entry of the library is incomplete");
    if (entry.id != id)
        return Status(Reason::bad_request, "the library says that it is " + std::string(entry.id) +
                                               ", the manifest says " + std::string(id));
    if (entry.version != version)
        return Status(Reason::bad_request, "the library is version " + std::string(entry.version) +
                                               ", the manifest says " + std::string(version));
    const std::uint32_t common = std::min(entry.abi_maximum, KEELSON_ABI_MAXIMUM);
    if (common < std::max(entry.abi_minimum, KEELSON_ABI_MINIMUM))
        return Status(Reason::bad_request,
                      "the library speaks plugin ABI " + std::to_string(entry.abi_minimum) + " to " +
                          std::to_string(entry.abi_maximum) + ", this kernel " +
                          std::to_string(KEELSON_ABI_MINIMUM) + " to " + std::to_string(KEELSON_ABI_MAXIMUM));
    return common;
}

// --- the instance ---

class Loaded final : public LocalPlugin {
  public:
    explicit Loaded(HostServices services) : host_(std::move(services)) {}
    ~Loaded() override {
        if (instance_.destroy) guarded([&] { instance_.destroy(instance_.self); });
    }

    Result<void> create(const keelson_entry& entry, std::uint32_t abi) {
        instance_.struct_size = sizeof instance_;
        ReplyBuffer buffer;
        keelson_reply reply = reply_into(buffer);
        std::int32_t code = KEELSON_INTERNAL;
        const bool returned = guarded([&] { code = entry.create(abi, &host_.table, &instance_, &reply); });
        if (!returned) return Status(Reason::internal_error, "making an instance threw an exception");
        if (code != KEELSON_OK) {
            instance_ = {};
            return status_of(code, buffer.outcome.body, "making an instance");
        }
        if (!KEELSON_HAS_FIELD(&instance_, keelson_instance, destroy) || !instance_.start ||
            !instance_.stop || !instance_.capability || !instance_.destroy)
            return Status(Reason::bad_request, "the instance is incomplete");
        return find_methods();
    }

    const MethodSet& methods() const override { return methods_; }

    Outcome invoke(const Invocation& invocation) override {
        const keelson_method method = method_of(invocation.method);
        if (!method) return {KEELSON_UNSUPPORTED, error_document("there is no such method"), {}};
        keelson_call call{};
        call.struct_size = sizeof call;
        call.descriptor_count = static_cast<std::uint32_t>(invocation.descriptors.size());
        call.descriptors = invocation.descriptors.data();
        call.deadline_us = invocation.deadline_us;
        call.cancelled = invocation.cancelled;
        call.traceparent = invocation.traceparent;
        ReplyBuffer buffer;
        keelson_reply reply = reply_into(buffer);
        const keelson_bytes request{invocation.request.data(), invocation.request.size()};
        const ObjectsForbidden no_objects(is_short(invocation.method));
        const bool returned =
            guarded([&] { buffer.outcome.code = method(instance_.self, &call, request, &reply); });
        if (!returned) return {KEELSON_INTERNAL, error_document(host_protocol::kThrown), {}};
        if (buffer.is_too_large)
            return {KEELSON_INTERNAL, error_document("its answer is larger than 16 MiB"), {}};
        return std::move(buffer.outcome);
    }

  private:
    // False when it threw: nothing may fly past the C border, but what does is stopped.
    template <typename Work>
    static bool guarded(Work work) noexcept {
        try {
            work();
            return true;
        } catch (...) {
            return false;
        }
    }

    // Tables are read once: a plugin that changes its mind later changes nothing.
    Result<void> find_methods() {
        constexpr auto kCount = static_cast<std::uint16_t>(KEELSON_CAPABILITY_COUNT);
        for (std::uint16_t i = 0; i < kCount; ++i) {
            const keelson_capability_info& info = keelson_capability_list[i];
            const void* table = nullptr;
            guarded([&] { table = instance_.capability(instance_.self, info.id); });
            if (!table) continue;
            methods_.add_capability(i);
            std::uint32_t size = 0;
            std::memcpy(&size, table, sizeof size);
            if (size > kTableLimitBytes)
                return Status(Reason::bad_request, std::string("its table of ") + info.id +
                                                       " says that it has " + std::to_string(size) +
                                                       " bytes");
            for (std::uint16_t m = 0; m < info.method_count; ++m) {
                if (size < info.methods[m].offset + sizeof(keelson_method)) continue;
                keelson_method method = nullptr;
                std::memcpy(&method, static_cast<const char*>(table) + info.methods[m].offset, sizeof method);
                if (!method) continue;
                methods_.add({i, m});
                table_[i][m] = method;
            }
        }
        return base::ok();
    }

    [[nodiscard]] keelson_method method_of(MethodId id) const {
        if (id == kStart) return instance_.start;
        if (id == kStop) return instance_.stop;
        if (id == kHealth) return instance_.health;
        return methods_.has(id) ? table_[id.capability][id.method] : nullptr;
    }

    Host host_;
    keelson_instance instance_{};
    MethodSet methods_;
    std::array<std::array<keelson_method, kMostMethods>, kMostCapabilities> table_{};
};

}  // namespace

Result<std::unique_ptr<LocalPlugin>> load_plugin(const std::string& library_path, std::string_view id,
                                                 std::string_view version, HostServices services) {
    KEELSON_TRY(const keelson_entry* entry, open_entry(library_path));
    KEELSON_TRY(const std::uint32_t abi, negotiate(*entry, id, version));
    auto plugin = std::make_unique<Loaded>(std::move(services));
    KEELSON_TRY_VOID(plugin->create(*entry, abi));
    return std::unique_ptr<LocalPlugin>(std::move(plugin));
}

}  // namespace keelson::plugin
