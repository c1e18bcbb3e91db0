#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "kernel/base/gather.h"
#include "kernel/base/log.h"
#include "kernel/base/pause.h"
#include "kernel/plugin/plugin_host.h"
#include "kernel/plugin/slot.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;

constexpr std::chrono::milliseconds kDirectoryInterval{1000};
constexpr std::string_view kSuffix = ".yaml";

// What a directory holds: manifest path to a mark that changes whenever the manifest or its library does.
using Listing = std::map<std::string, std::string>;

std::string mark_of(const std::string& path) {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0) return "-";
    return std::to_string(about.st_ino) + "." + std::to_string(about.st_size) + "." +
           std::to_string(about.st_mtim.tv_sec) + "." + std::to_string(about.st_mtim.tv_nsec);
}

// A manifest counts once the library of the same name is there: so files may be dropped in any order.
Listing list_directory(const std::string& directory) {
    Listing listing;
    DIR* handle = directory.empty() ? nullptr : ::opendir(directory.c_str());
    if (!handle) return listing;
    while (const dirent* entry = ::readdir(handle)) {
        const std::string name = entry->d_name;
        if (!name.ends_with(kSuffix) || name.front() == '.') continue;
        const std::string path = directory + "/" + name;
        const std::string library = path.substr(0, path.size() - kSuffix.size()) + ".so";
        listing[path] = mark_of(path) + "/" + mark_of(library);
    }
    ::closedir(handle);
    return listing;
}

std::string name_of(const std::string& manifest_path) {
    const std::string file = manifest_path.substr(manifest_path.rfind('/') + 1);
    return file.substr(0, file.size() - kSuffix.size());
}

bool is_inside(const std::string& path, const std::string& directory) {
    return !directory.empty() && path.starts_with(directory + "/") &&
           path.find('/', directory.size() + 1) == std::string::npos;
}

class Host final : public PluginHost, public std::enable_shared_from_this<Host> {
  public:
    Host(HostSettings settings, base::Executor& executor, base::Metrics& metrics, Listener listener)
        : settings_(std::move(settings)),
          executor_(executor),
          metrics_(metrics),
          listener_(std::move(listener)) {}

    Task<void> start() override {
        const AsyncLock::Hold hold = co_await changing_.acquire();
        auto reading = read_directory();
        seen_ = co_await reading;
        std::vector<PluginSettings> wanted = with_dropped_in(settings_.plugins);
        for (const PluginSettings& plugin : wanted) slot_for(plugin.name);
        auto loading = load_all(std::move(wanted), true);
        co_await loading;
        if (settings_.watch_directory && !settings_.directory.empty())
            base::spawn(executor_, watch_directory(weak_from_this(), pause_));
    }

    Task<void> stop(bool everything) override {
        const AsyncLock::Hold hold = co_await changing_.acquire();
        stopping_ = true;
        pause_->stop();
        for (const auto& slot : slots()) slot->close();
        for (const auto& slot : slots()) {
            auto unloading = slot->unload(State::disabled, "the kernel stops", !everything);
            co_await unloading;
        }
    }

    std::vector<Info> list() const override {
        std::vector<Info> infos;
        for (const auto& slot : slots()) infos.push_back(slot->info());
        return infos;
    }

    std::shared_ptr<Plugin> find(std::string_view name) const override { return find_slot(name); }

    std::vector<std::shared_ptr<Plugin>> with_capability(std::string_view id) const override {
        std::vector<std::shared_ptr<Plugin>> found;
        for (const auto& slot : slots())
            if (slot->has(id, {})) found.push_back(slot);
        return found;
    }

    Task<Result<Info>> add(PluginSettings settings) override {
        const AsyncLock::Hold hold = co_await changing_.acquire();
        if (settings.manifest_path.empty())
            settings.manifest_path = settings_.directory + "/" + settings.name + std::string(kSuffix);
        if (settings.name.empty() && settings.manifest_path.ends_with(kSuffix))
            settings.name = name_of(settings.manifest_path);
        KEELSON_CO_TRY_VOID(check_place(settings.manifest_path));
        if (find_slot(settings.name))
            co_return Status(Reason::already_exists, "there is a plugin '" + settings.name +
                                                         "' already: replace it, or remove it first");
        auto slot = slot_for(settings.name);
        const std::string path = settings.manifest_path;
        auto loading = slot->load(settings, path, false);
        auto loaded = co_await loading;
        added_.insert(settings.name);
        if (!loaded) {
            // Nothing has changed: what was never there is not listed.
            slot->close();
            forget(settings.name);
            co_return std::move(loaded).error();
        }
        co_return slot->info();
    }

    Task<Result<Info>> configure(std::string name, std::string config_json) override {
        const AsyncLock::Hold hold = co_await changing_.acquire();
        KEELSON_CO_TRY(auto slot, need(name));
        PluginSettings settings = slot->settings();
        settings.config = std::move(config_json);
        settings.config_lines.clear();
        auto reloading = reload_slot(slot, std::move(settings), slot->manifest_path());
        co_return co_await reloading;
    }

    Task<Result<Info>> accept(std::string name, std::vector<ObjectAccess> objects) override {
        const AsyncLock::Hold hold = co_await changing_.acquire();
        KEELSON_CO_TRY(auto slot, need(name));
        slot->accept(std::move(objects));
        co_return slot->info();
    }

    Task<Result<Info>> enable(std::string name, bool enabled) override {
        const AsyncLock::Hold hold = co_await changing_.acquire();
        KEELSON_CO_TRY(auto slot, need(name));
        PluginSettings settings = slot->settings();
        settings.enabled = enabled;
        if (!enabled) {
            KEELSON_CO_TRY_VOID(check_unused(*slot));
            auto unloading = disable(slot, std::move(settings));
            co_await unloading;
            co_return slot->info();
        }
        auto reloading = reload_slot(slot, std::move(settings), slot->manifest_path());
        co_return co_await reloading;
    }

    Task<Result<Info>> reload(std::string name) override {
        const AsyncLock::Hold hold = co_await changing_.acquire();
        KEELSON_CO_TRY(auto slot, need(name));
        auto reloading = reload_slot(slot, slot->settings(), slot->manifest_path());
        co_return co_await reloading;
    }

    Task<Result<Info>> replace(std::string name, std::string manifest_path) override {
        const AsyncLock::Hold hold = co_await changing_.acquire();
        KEELSON_CO_TRY(auto slot, need(name));
        KEELSON_CO_TRY_VOID(check_place(manifest_path));
        PluginSettings settings = slot->settings();
        settings.manifest_path = manifest_path;
        settings.sha256.clear();  // it was of the other library
        auto reloading = reload_slot(slot, std::move(settings), std::move(manifest_path));
        co_return co_await reloading;
    }

    Task<Result<void>> remove(std::string name, bool force) override {
        const AsyncLock::Hold hold = co_await changing_.acquire();
        KEELSON_CO_TRY(auto slot, need(name));
        if (!force) {
            KEELSON_CO_TRY_VOID(check_unused(*slot));
        }
        auto retiring = retire(std::move(slot));
        co_await retiring;
        co_return base::ok();
    }

    Task<void> apply(std::vector<PluginSettings> plugins) override {
        const AsyncLock::Hold hold = co_await changing_.acquire();
        std::vector<PluginSettings> wanted = with_dropped_in(std::move(plugins));
        std::set<std::string> names;
        for (const PluginSettings& plugin : wanted) names.insert(plugin.name);
        for (const auto& slot : slots()) {
            if (names.contains(slot->name()) || added_.contains(slot->name())) continue;
            auto retiring = retire(slot);
            co_await retiring;
        }
        std::erase_if(wanted, [this](const PluginSettings& plugin) {
            const auto slot = find_slot(plugin.name);
            return slot && slot->settings() == plugin;
        });
        for (const PluginSettings& plugin : wanted) slot_for(plugin.name);
        auto loading = load_all(std::move(wanted), false);
        co_await loading;
    }

    std::shared_ptr<void> trace(std::string_view name,
                                std::function<void(const std::string&)> sink) override {
        const auto slot = find_slot(name);
        return slot ? slot->trace(std::move(sink)) : nullptr;
    }

  private:
    // --- which plugins there are ---

    std::vector<std::shared_ptr<Slot>> slots() const {
        const std::lock_guard lock(mutex_);
        return slots_;
    }
    std::shared_ptr<Slot> find_slot(std::string_view name) const {
        const std::lock_guard lock(mutex_);
        const auto found =
            std::ranges::find_if(slots_, [&](const auto& slot) { return slot->name() == name; });
        return found == slots_.end() ? nullptr : *found;
    }
    std::shared_ptr<Slot> slot_for(const std::string& name) {
        if (auto there = find_slot(name)) return there;
        const SlotEnvironment environment{settings_, executor_, metrics_, listener_};
        auto made = std::make_shared<Slot>(name, environment);
        const std::lock_guard lock(mutex_);
        slots_.push_back(made);
        return made;
    }
    Result<std::shared_ptr<Slot>> need(const std::string& name) const {
        if (auto slot = find_slot(name)) return slot;
        return Status(Reason::not_found, "there is no plugin '" + name + "'");
    }
    void forget(const std::string& name) {
        const std::lock_guard lock(mutex_);
        std::erase_if(slots_, [&](const auto& slot) { return slot->name() == name; });
        added_.erase(name);
    }

    // The operator's plugins, and those whose manifest lies in the directory.
    std::vector<PluginSettings> with_dropped_in(std::vector<PluginSettings> plugins) const {
        for (PluginSettings& plugin : plugins)
            if (plugin.manifest_path.empty())
                plugin.manifest_path = settings_.directory + "/" + plugin.name + std::string(kSuffix);
        for (const auto& [path, mark] : seen_) {
            const std::string name = name_of(path);
            const bool named = std::ranges::any_of(
                plugins, [&](const PluginSettings& plugin) { return plugin.name == name; });
            if (named) continue;
            PluginSettings settings;
            settings.name = name;
            settings.manifest_path = path;
            plugins.push_back(std::move(settings));
        }
        return plugins;
    }

    Result<void> check_place(const std::string& path) const {
        std::vector<std::string> places = settings_.allowed_directories;
        places.push_back(settings_.directory);
        std::string known;
        for (const std::string& place : places) {
            if (is_inside(path, place)) return base::ok();
            if (!place.empty()) known += (known.empty() ? "" : ", ") + place;
        }
        return Status(Reason::forbidden, "'" + path +
                                             "' is not a manifest in a directory that plugins may come "
                                             "from (" +
                                             known + "); see plugins.allowedDirectories");
    }

    Result<void> check_unused(const Slot& slot) const {
        const Info info = slot.info();
        if (info.calls_in_flight > 0)
            return Status(Reason::conflict, "plugin " + info.name +
                                                " is in use: " + std::to_string(info.calls_in_flight) +
                                                " calls are under way");
        for (const auto& other : slots()) {
            const auto needed = other->required();
            if (other->name() != info.name && std::ranges::find(needed, info.id) != needed.end())
                return Status(Reason::conflict, "plugin " + other->name() + " requires " + info.name);
        }
        return base::ok();
    }

    // --- loading ---

    // Those that nothing else has to be waited for first, all at once: most of a load is waiting for a
    // process. Then what they make possible.
    Task<void> load_all(std::vector<PluginSettings> wanted, bool may_adopt) {
        while (!wanted.empty()) {
            std::vector<PluginSettings> later;
            std::vector<Task<bool>> loads;
            for (PluginSettings& plugin : wanted) {
                auto slot = slot_for(plugin.name);
                if (!plugin.enabled) {
                    auto disabling = disable(slot, plugin);
                    co_await disabling;
                    continue;
                }
                auto looking = missing_requirement(plugin);
                const std::string missing = co_await looking;
                if (!missing.empty()) {
                    slot->set_state(State::waiting, "it requires " + missing);
                    later.push_back(std::move(plugin));
                    continue;
                }
                loads.push_back(load_one(std::move(slot), std::move(plugin), may_adopt));
            }
            wanted = std::move(later);
            if (loads.empty()) break;
            auto loading = base::gather(std::move(loads));
            co_await loading;
        }
        unmet_ = std::move(wanted);
    }

    static Task<bool> load_one(std::shared_ptr<Slot> slot, PluginSettings settings, bool may_adopt) {
        std::string path = settings.manifest_path;
        auto loading = slot->load(std::move(settings), std::move(path), may_adopt);
        const auto loaded = co_await loading;
        if (!loaded)
            base::log_error("a plugin cannot be loaded",
                            {{"plugin", slot->name()}, {"error", loaded.error()}});
        co_return loaded.has_value();
    }

    // The id that is not ready yet; empty: none, or the manifest cannot be read, which loading will report.
    Task<std::string> missing_requirement(PluginSettings plugin) {
        auto work = [plugin = std::move(plugin), user = settings_.trusted_user] {
            const auto plan = make_plan(plugin, plugin.manifest_path, user);
            return plan ? plan->manifest.requires_plugins : std::vector<std::string>();
        };
        auto reading = base::blocking(std::move(work));
        const std::vector<std::string> needed = co_await reading;
        for (const std::string& id : needed) {
            bool is_ready = false;
            for (const auto& slot : slots()) {
                const Info info = slot->info();
                is_ready = is_ready ||
                           (info.id == id && (info.state == State::ready || info.state == State::unhealthy));
            }
            if (!is_ready) co_return id;
        }
        co_return std::string();
    }

    Task<Result<Info>> reload_slot(std::shared_ptr<Slot> slot, PluginSettings settings, std::string path) {
        auto loading = slot->load(std::move(settings), std::move(path), false);
        auto loaded = co_await loading;
        if (!loaded) co_return std::move(loaded).error();
        auto retrying = retry_unmet();
        co_await retrying;
        co_return slot->info();
    }

    Task<void> retry_unmet() {
        if (unmet_.empty()) co_return;
        auto loading = load_all(std::exchange(unmet_, {}), false);
        co_await loading;
    }

    Task<void> disable(std::shared_ptr<Slot> slot, PluginSettings settings) {
        slot->keep_settings(settings, settings.manifest_path);
        auto unloading = slot->unload(State::disabled, "", false);
        co_await unloading;
    }

    Task<void> retire(std::shared_ptr<Slot> slot) {
        slot->close();
        auto unloading = slot->unload(State::disabled, "removed", false);
        co_await unloading;
        forget(slot->name());
        if (listener_.changed) listener_.changed(slot->name());
    }

    // --- the directory ---

    Task<Listing> read_directory() {
        auto work = [directory = settings_.directory] { return list_directory(directory); };
        auto reading = base::blocking(std::move(work));
        co_return co_await reading;
    }

    static Task<void> watch_directory(std::weak_ptr<Host> weak, std::shared_ptr<base::Pause> pause) {
        while (true) {
            auto sleeping = pause->sleep(kDirectoryInterval);
            const bool goes_on = co_await sleeping;
            if (!goes_on) co_return;
            const auto self = weak.lock();
            if (!self || self->stopping_) co_return;
            auto looking = self->look_again();
            co_await looking;
        }
    }

    Task<void> look_again() {
        auto reading = read_directory();
        Listing now = co_await reading;
        const bool same = now == seen_;
        // A file that is still being written changes once more: it is taken when it has been the same for a
        // whole interval.
        const bool settled = now == last_look_;
        last_look_ = now;
        if (same || !settled) co_return;
        const AsyncLock::Hold hold = co_await changing_.acquire();
        if (stopping_) co_return;
        const Listing before = std::exchange(seen_, std::move(now));
        auto following = follow(before);
        co_await following;
    }

    Task<void> follow(Listing before) {
        for (const auto& [path, mark] : before) {
            const auto slot = find_slot(name_of(path));
            if (seen_.contains(path) || !slot || slot->manifest_path() != path) continue;
            base::log_info("a plugin's manifest is gone; it is retired", {{"plugin", slot->name()}});
            auto retiring = retire(slot);
            co_await retiring;
        }
        std::vector<PluginSettings> fresh;
        for (const auto& [path, mark] : seen_) {
            const auto there = before.find(path);
            if (there != before.end() && there->second == mark) continue;
            const auto slot = find_slot(name_of(path));
            if (slot && slot->manifest_path() != path) continue;  // of another place
            PluginSettings settings;
            if (slot) settings = slot->settings();
            settings.name = name_of(path);
            settings.manifest_path = path;
            slot_for(settings.name);
            fresh.push_back(std::move(settings));
        }
        for (PluginSettings& waiting : unmet_) fresh.push_back(std::move(waiting));
        unmet_.clear();
        auto loading = load_all(std::move(fresh), false);
        co_await loading;
    }

    const HostSettings settings_;
    base::Executor& executor_;
    base::Metrics& metrics_;
    const Listener listener_;
    AsyncLock changing_;
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<Slot>> slots_;  // in the order of the settings
    // Under changing_:
    std::set<std::string> added_;  // by the API, so that a new configuration file does not retire them
    std::vector<PluginSettings> unmet_;
    Listing seen_;
    Listing last_look_;
    std::atomic<bool> stopping_{false};
    std::shared_ptr<base::Pause> pause_ = std::make_shared<base::Pause>();  // between two looks
};

}  // namespace

std::shared_ptr<PluginHost> make_plugin_host(HostSettings settings, base::Executor& executor,
                                             base::Metrics& metrics, Listener listener) {
    return std::make_shared<Host>(std::move(settings), executor, metrics, std::move(listener));
}

}  // namespace keelson::plugin
