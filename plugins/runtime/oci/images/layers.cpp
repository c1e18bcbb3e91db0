#include "layers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>

#include "digest.h"
#include "files.h"
#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

constexpr const char* root_name = "root";
constexpr const char* description_name = "layer.json";
constexpr std::size_t maximum_description_bytes = 4096;
constexpr auto look_again_after = std::chrono::milliseconds(20);

}  // namespace

Workspace::Workspace(int temporary_directory, std::string name)
    : temporary_directory_(temporary_directory), name_(std::move(name)) {
    if (::mkdirat(temporary_directory_, name_.c_str(), 0700) != 0)
        throw_errno("cannot make a temporary directory");
    try {
        directory_ = open_directory(temporary_directory_, name_);
        root_ = ensure_directory(directory_.get(), root_name);
        if (::fchmod(root_.get(), 0755) != 0) throw_errno("cannot set the mode of a layer's root");
    } catch (const Error&) {
        remove_tree(temporary_directory_, name_);
        throw;
    }
}

Workspace::Workspace(Workspace&& other) noexcept
    : temporary_directory_(other.temporary_directory_),
      name_(std::exchange(other.name_, {})),
      directory_(std::move(other.directory_)),
      root_(std::move(other.root_)) {}

Workspace::~Workspace() {
    if (name_.empty()) return;
    try {
        remove_tree(temporary_directory_, name_);
    } catch (const Error&) {
        // The next start sweeps it.
    }
}

void Workspace::move_to(int directory, const std::string& name) {
    if (::renameat(temporary_directory_, name_.c_str(), directory, name.c_str()) != 0)
        throw_errno("cannot move a layer into place");
    name_.clear();
}

LayerStore::LayerStore(int directory, int temporary_directory)
    : directory_(directory), temporary_directory_(temporary_directory) {}

LayerStore::Pin::~Pin() {
    if (store_ != nullptr) store_->release(chain_);
}

bool LayerStore::find_at_start(const std::string& chain) {
    const std::lock_guard lock(mutex_);
    auto found = entries_.find(chain);
    if (found == entries_.end()) {
        auto entry = read_entry(chain);
        if (!entry) return false;
        found = entries_.emplace(chain, std::move(*entry)).first;
    }
    ++found->second.uses;
    return true;
}

// Whatever is wrong with it, it counts as not there.
std::optional<LayerStore::Entry> LayerStore::read_entry(const std::string& chain) const {
    try {
        const std::string path = hex_of(chain) + "/";
        const auto bytes = read_file(directory_, path + description_name, maximum_description_bytes);
        const Descriptor root(open_beneath(directory_, (path + root_name).c_str(), O_RDONLY | O_DIRECTORY));
        const auto json = nlohmann::json::parse(bytes.value_or(""));
        if (!root || json.at("chainId") != chain) return std::nullopt;
        Entry entry;
        entry.is_ready = entry.is_durable = true;
        json.at("bytes").get_to(entry.bytes);
        json.at("inodes").get_to(entry.inodes);
        return entry;
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

void LayerStore::sweep() {
    for (const std::string& name : list_directory(directory_))
        if (!entries_.contains("sha256:" + name)) remove_tree(directory_, name);
}

Workspace LayerStore::make_workspace() {
    return Workspace(temporary_directory_, "layer-" + std::to_string(++serial_));
}

// True when the caller is to build it; false when it is there, and retained for the caller.
bool LayerStore::claim(const std::string& chain, const Interrupt& interrupt) {
    std::unique_lock lock(mutex_);
    while (true) {
        const auto [entry, is_new] = entries_.try_emplace(chain);
        if (is_new) return true;
        if (entry->second.is_ready) {
            ++entry->second.uses;
            return false;
        }
        changed_.wait_for(lock, look_again_after);
        interrupt.check();
    }
}

void LayerStore::install(const std::string& chain, BuiltLayer built) {
    const nlohmann::json json = {{"chainId", chain},
                                 {"diffId", built.content.diff_id},
                                 {"bytes", built.content.bytes},
                                 {"inodes", built.content.inodes}};
    write_new_file(built.place.directory(), description_name, json.dump());
    const std::lock_guard lock(mutex_);
    built.place.move_to(directory_, hex_of(chain));
    Entry& entry = entries_.at(chain);
    entry.is_ready = true;
    entry.uses = 1;
    entry.bytes = built.content.bytes;
    entry.inodes = built.content.inodes;
    entry.implicit_directories = std::move(built.content.implicit_directories);
}

void LayerStore::abandon(const std::string& chain) {
    const std::lock_guard lock(mutex_);
    entries_.erase(chain);
    changed_.notify_all();
}

LayerStore::Pin LayerStore::ensure(const std::string& chain, const Interrupt& interrupt,
                                   const Builder& builder) {
    if (claim(chain, interrupt)) {
        try {
            install(chain, builder());
        } catch (...) {
            abandon(chain);
            throw;
        }
        changed_.notify_all();
    }
    return {*this, chain};
}

std::vector<std::string> LayerStore::not_durable(const std::vector<std::string>& chains) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const std::string& chain : chains)
        if (!entries_.at(chain).is_durable) found.push_back(chain);
    return found;
}

void LayerStore::inherit(const std::vector<std::string>& chains, std::size_t index) {
    std::set<std::string> paths;
    {
        const std::lock_guard lock(mutex_);
        paths = entries_.at(chains[index]).implicit_directories;
    }
    if (paths.empty()) return;
    const Descriptor root = open_root(chains[index]);
    for (std::size_t below = index; below-- > 0 && !paths.empty();) {
        const Descriptor other = open_root(chains[below]);
        std::erase_if(paths, [&](const std::string& path) {
            const Descriptor model(open_beneath(other.get(), path.c_str(), O_RDONLY | O_DIRECTORY));
            if (!model) return errno != ENOENT;
            const Descriptor mine(open_beneath(root.get(), path.c_str(), O_RDONLY | O_DIRECTORY));
            struct stat status {};
            if (!mine || ::fstat(model.get(), &status) != 0) return true;
            const timespec times[2] = {status.st_mtim, status.st_mtim};
            if (::fchown(mine.get(), status.st_uid, status.st_gid) != 0 ||
                ::fchmod(mine.get(), status.st_mode & 07777U) != 0 || ::futimens(mine.get(), times) != 0)
                throw_errno("cannot make a directory of a layer look like the one below it");
            return true;
        });
    }
}

void LayerStore::commit(const std::vector<std::string>& chains) {
    const std::lock_guard commit_lock(commit_mutex_);
    const std::vector<std::string> fresh = not_durable(chains);
    if (fresh.empty()) return;
    for (std::size_t index = 0; index < chains.size(); ++index)
        if (std::ranges::find(fresh, chains[index]) != fresh.end()) inherit(chains, index);
    if (::syncfs(directory_) != 0) throw_errno("cannot sync the layers of an image");
    const std::lock_guard lock(mutex_);
    for (const std::string& chain : fresh) entries_.at(chain).is_durable = true;
}

void LayerStore::retain(const std::string& chain) {
    const std::lock_guard lock(mutex_);
    ++entries_.at(chain).uses;
}

void LayerStore::release(const std::string& chain) noexcept {
    std::string discarded;
    {
        const std::lock_guard lock(mutex_);
        const auto found = entries_.find(chain);
        if (found == entries_.end() || --found->second.uses > 0) return;
        discarded = "removed-" + std::to_string(++serial_);
        // If it cannot be moved it stays until the next start, out of everybody's way.
        if (::renameat(directory_, hex_of(chain).c_str(), temporary_directory_, discarded.c_str()) != 0) {
            found->second.uses = 0;
            return;
        }
        entries_.erase(found);
    }
    discard(discarded);
}

void LayerStore::discard(const std::string& name) noexcept {
    try {
        remove_tree(temporary_directory_, name);
    } catch (const std::exception&) {
        // The next start sweeps it.
    }
}

std::uint64_t LayerStore::bytes(const std::string& chain) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(chain);
    return found == entries_.end() ? 0 : found->second.bytes;
}

LayerStore::Total LayerStore::total() const {
    const std::lock_guard lock(mutex_);
    Total total;
    for (const auto& [chain, entry] : entries_) {
        total.bytes += entry.bytes;
        total.inodes += entry.inodes;
    }
    return total;
}

Descriptor LayerStore::open_root(const std::string& chain) const {
    return open_directory(directory_, hex_of(chain) + "/" + root_name);
}

}  // namespace keelson::oci
