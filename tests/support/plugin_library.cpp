#include "tests/support/plugin_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "keelson/capabilities.h"

namespace keelson::testing {
namespace {

void append(void* context, const char* data, std::size_t size) {
    static_cast<std::string*>(context)->append(data, size);
}

const keelson_capability_info& capability_info(const std::string& id) {
    for (const keelson_capability_info& info : keelson_capability_list) {
        if (id == info.id) return info;
    }
    throw std::runtime_error("no capability " + id);
}

keelson_method method_of(const void* table, const std::string& capability, std::string_view name) {
    const keelson_capability_info& info = capability_info(capability);
    for (std::size_t i = 0; i < info.method_count; ++i) {
        if (name == info.methods[i].name)
            return *reinterpret_cast<const keelson_method*>(static_cast<const char*>(table) +
                                                            info.methods[i].offset);
    }
    throw std::runtime_error("no method " + std::string(name));
}

}  // namespace

PluginLibrary::PluginLibrary(const std::string& path, std::string state_directory)
    : state_directory_(std::move(state_directory)) {
    // Never closed: code that ran stays, as in the kernel.
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error(::dlerror());
    const auto function = reinterpret_cast<keelson_plugin_function>(::dlsym(library, KEELSON_PLUGIN_SYMBOL));
    if (function == nullptr) throw std::runtime_error("no entry");
    entry_ = function();
    host_.struct_size = sizeof host_;
    host_.context = this;
    host_.log = [](void* context, std::int32_t, keelson_bytes text) {
        auto* self = static_cast<PluginLibrary*>(context);
        const std::lock_guard lock(self->mutex_);
        self->log_.emplace_back(text.data, text.size);
    };
    host_.state_directory = state_directory_.c_str();
    host_.monotonic_us = [](void* context) { return static_cast<PluginLibrary*>(context)->monotonic_us_; };
    host_.node_name = "n1";
    host_.unix_us = [](void* context) { return static_cast<PluginLibrary*>(context)->unix_us_; };
    instance_.struct_size = sizeof instance_;
    std::string error;
    keelson_reply reply{sizeof reply, &error, &append, nullptr};
    if (entry_->create(KEELSON_ABI_MAXIMUM, &host_, &instance_, &reply) != KEELSON_OK)
        throw std::runtime_error(error);
}

PluginLibrary::~PluginLibrary() {
    perform(instance_.stop, instance_.self, "{}");
    instance_.destroy(instance_.self);
}

PluginReply PluginLibrary::perform(keelson_method method, void* self, const std::string& request) {
    std::string text;
    keelson_reply reply{sizeof reply, &text, &append, nullptr};
    const keelson_call call{sizeof call, 0, nullptr, 0, nullptr, ""};
    PluginReply result;
    result.status = method(self, &call, {request.data(), request.size()}, &reply);
    result.document = nlohmann::json::parse(text);
    return result;
}

PluginReply PluginLibrary::start(const nlohmann::json& configuration) {
    return perform(instance_.start, instance_.self, configuration.dump());
}

PluginReply PluginLibrary::health() {
    return perform(instance_.health, instance_.self, "{}");
}

PluginReply PluginLibrary::call(const std::string& capability, std::string_view method,
                                const nlohmann::json& request) {
    const void* table = instance_.capability(instance_.self, capability.c_str());
    if (table == nullptr) throw std::runtime_error("the plugin has no " + capability);
    return perform(method_of(table, capability, method), instance_.self, request.dump());
}

void PluginLibrary::advance(std::int64_t seconds) {
    unix_us_ += seconds * 1'000'000;
    monotonic_us_ += seconds * 1'000'000;
}

std::vector<std::string> PluginLibrary::log() const {
    const std::lock_guard lock(mutex_);
    return log_;
}

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "keelson-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace keelson::testing
