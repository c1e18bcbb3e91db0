#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "archive_load.h"
#include "blobs.h"
#include "clone_tree.h"
#include "digest.h"
#include "documents.h"
#include "files.h"
#include "image_table.h"
#include "keelson/error.hpp"
#include "layers.h"
#include "make_image_store.h"
#include "pull.h"
#include "reference.h"

namespace keelson::oci {
namespace {

constexpr const char* table_name = "images.json";
constexpr const char* lock_name = "lock";
constexpr const char* reserve_name = "reserve";
constexpr off_t reserve_bytes = off_t(256) << 10U;
constexpr std::size_t maximum_table_bytes = std::size_t(64) << 20U;

Descriptor open_store(const std::string& path) {
    if (path.empty() || path.front() != '/')
        throw Error(Code::invalid, "the directory of the image store must be an absolute path", "directory");
    std::error_code ignored;  // the last directory's own failure says what is wrong
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        throw_errno("cannot make the directory of the image store " + path);
    Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) throw_errno("cannot open the directory of the image store " + path);
    // Setuid programs and devices of images are in it: nobody else may walk in.
    if (::fchmod(directory.get(), 0700) != 0) throw_errno("cannot close " + path + " to others");
    return directory;
}

// Of the process, so that children that were forked do not hold it.
Descriptor lock_store(int directory, const std::string& path) {
    Descriptor file(::openat(directory, lock_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) throw_errno("cannot open the lock of the image store");
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    if (::fcntl(file.get(), F_SETLK, &lock) != 0)
        throw Error(Code::unavailable,
                    "another process has the image store " + path + " open; stop it first");
    return file;
}

class DirectoryStore : public ImageStore {
  public:
    explicit DirectoryStore(StoreSettings settings)
        : settings_(with_defaults(std::move(settings))),
          directory_(open_store(settings_.directory)),
          lock_(lock_store(directory_.get(), settings_.directory)),
          temporary_(ensure_directory(directory_.get(), "tmp")),
          layer_directory_(ensure_directory(directory_.get(), "layers")),
          blobs_(directory_.get(), temporary_.get()),
          layers_(layer_directory_.get(), temporary_.get()),
          slots_(std::max<std::size_t>(settings_.parallel_downloads, 1)) {
        for (const std::string& name : list_directory(temporary_.get())) remove_tree(temporary_.get(), name);
        read_table();
        layers_.sweep();
        sweep_blobs();
        make_reserve();
    }

    images::Pulled pull(const images::Pull& request, const Call& call) override;
    images::Loaded load(const std::string& name, int archive, const Call& call) override;
    images::Listed list() const override;
    images::Inspected inspect(const std::string& image) const override;
    void remove(const std::string& image_id) override;
    images::Usage usage() const override;
    images::Pulls pulls() const override { return board_.list(); }
    ResolvedImage hold(const std::string& image_id, const std::string& holder) override;
    void release(const std::string& image_id, const std::string& holder) override;

  private:
    static StoreSettings with_defaults(StoreSettings settings);
    void warn(const std::string& text) const {
        if (settings_.warn) settings_.warn(text);
    }
    void read_table();
    std::string complete(const std::string& id, ImageRecord& record);
    void save(const ImageTable& table);
    void save_in_any_case(const ImageTable& table);
    void make_reserve();
    void sweep_blobs();
    std::vector<LayerStore::Pin> keep_layers(const ArchiveImage& image,
                                             const std::vector<std::string>& chains,
                                             std::map<const ArchiveLayer*, std::string>& moved,
                                             const Interrupt& interrupt);
    std::string keep(const std::vector<std::string>& manifests, const std::string& config,
                     const Config& parsed, ImageRecord record);
    images::Image describe(const std::string& id, const ImageRecord& record) const;

    StoreSettings settings_;
    Descriptor directory_;
    Descriptor lock_;
    Descriptor temporary_;
    Descriptor layer_directory_;
    BlobStore blobs_;
    LayerStore layers_;
    DownloadSlots slots_;
    PullBoard board_;
    std::mutex change_mutex_;  // whoever changes the table, on disk and in memory
    mutable std::mutex mutex_;
    ImageTable table_;
    std::map<std::string, std::set<std::string>> holders_;  // by image id
};

StoreSettings DirectoryStore::with_defaults(StoreSettings settings) {
    if (!settings.monotonic)
        settings.monotonic = [] {
            return std::chrono::duration_cast<std::chrono::microseconds>(
                std::chrono::steady_clock::now().time_since_epoch());
        };
    return settings;
}

std::vector<std::string> chains_of(const Config& config) {
    std::vector<std::string> chains;
    for (const std::string& id : config.diff_ids)
        chains.push_back(chain_id(chains.empty() ? "" : chains.back(), id));
    return chains;
}

void describe_by(ImageRecord& record, const std::string& config, const Config& parsed) {
    record.chains = chains_of(parsed);
    record.config_bytes = config.size();
    record.user = parsed.image.user;
}

// What is missing, or nothing when the image is whole: then its layers are retained.
std::string DirectoryStore::complete(const std::string& id, ImageRecord& record) {
    const auto bytes = blobs_.get(id, settings_.limits.config_bytes);
    if (!bytes) return "its config is missing or damaged";
    for (const std::string& manifest : record.manifests)
        if (!blobs_.get(manifest, settings_.limits.manifest_bytes))
            return "a manifest of it is missing or damaged";
    try {
        describe_by(record, *bytes, parse_config(*bytes, settings_.limits));
    } catch (const Error& error) {
        return error.what();
    }
    for (std::size_t index = 0; index < record.chains.size(); ++index) {
        if (layers_.find_at_start(record.chains[index])) continue;
        for (std::size_t taken = 0; taken < index; ++taken) layers_.release(record.chains[taken]);
        return "its layer " + record.chains[index] + " is missing or damaged";
    }
    return {};
}

void DirectoryStore::read_table() {
    try {
        const auto bytes = read_file(directory_.get(), table_name, maximum_table_bytes);
        if (!bytes) return;
        table_ = ImageTable::parse(*bytes);
    } catch (const Error& error) {
        if (error.code() != Code::invalid) throw;
        warn(std::string(error.what()) + "; all images are dropped and must be pulled again");
    }
    for (auto entry = table_.images.begin(); entry != table_.images.end();) {
        const std::string missing = complete(entry->first, entry->second);
        if (missing.empty()) {
            ++entry;
            continue;
        }
        const auto& names = entry->second.names;
        warn("the image " + entry->first + (names.empty() ? "" : " (" + *names.begin() + ")") +
             " is dropped and must be pulled again: " + missing);
        entry = table_.images.erase(entry);
    }
}

void DirectoryStore::save(const ImageTable& table) {
    replace_file(directory_.get(), table_name, temporary_.get(), table_name, table.dump());
}

void DirectoryStore::sweep_blobs() {
    std::set<std::string> kept;
    for (const auto& [id, record] : table_.images) {
        kept.insert(id);
        kept.insert(record.manifests.begin(), record.manifests.end());
    }
    blobs_.keep_only(kept);
}

// The caller's pins keep the layers until the table does.
std::string DirectoryStore::keep(const std::vector<std::string>& manifests, const std::string& config,
                                 const Config& parsed, ImageRecord record) {
    describe_by(record, config, parsed);
    layers_.commit(record.chains);
    const std::lock_guard change_lock(change_mutex_);
    std::string id = digest_of(config);
    ImageTable next = table_;
    const bool is_new = !next.images.contains(id);
    try {
        blobs_.put(config);
        for (const std::string& manifest : manifests) record.manifests.insert(blobs_.put(manifest));
        next.add(id, record);
        save(next);
    } catch (const Error&) {
        sweep_blobs();
        throw;
    }
    if (is_new)
        for (const std::string& chain : record.chains) layers_.retain(chain);
    const std::lock_guard lock(mutex_);
    table_ = std::move(next);
    return id;
}

std::vector<LayerStore::Pin> DirectoryStore::keep_layers(const ArchiveImage& image,
                                                         const std::vector<std::string>& chains,
                                                         std::map<const ArchiveLayer*, std::string>& moved,
                                                         const Interrupt& interrupt) {
    std::vector<LayerStore::Pin> pins;
    for (std::size_t index = 0; index < chains.size(); ++index) {
        ArchiveLayer& layer = *image.layers[index];
        pins.push_back(layers_.ensure(chains[index], interrupt, [&]() -> BuiltLayer {
            const auto [place, is_first] = moved.emplace(&layer, chains[index]);
            const UnpackedLayer content = layer.layer.content;
            if (is_first) return {std::move(layer.layer.place), content};
            Workspace copy = layers_.make_workspace();
            clone_tree(layers_.open_root(place->second).get(), copy.root());
            return {std::move(copy), content};
        }));
    }
    return pins;
}

images::Loaded DirectoryStore::load(const std::string& name, int archive, const Call& call) {
    const std::string wanted = name.empty() ? "" : parse_reference(name).text();
    const Interrupt interrupt(call, settings_.monotonic);
    const std::vector<ArchiveImage> found = read_archive(archive, layers_, settings_.limits, interrupt);
    if (!wanted.empty() && found.size() != 1)
        throw Error(Code::invalid,
                    "the archive has " + std::to_string(found.size()) +
                        " images: one name cannot be given to all of them",
                    "name");
    images::Loaded loaded;
    std::map<const ArchiveLayer*, std::string> moved;
    std::vector<LayerStore::Pin> pins;
    for (const ArchiveImage& image : found) {
        ImageRecord record;
        const auto names = wanted.empty() ? image.names : std::vector<std::string>{wanted};
        for (const std::string& text : names) {
            const Reference reference = parse_reference(text);
            if (reference.digest.empty()) record.names.insert(reference.text());
            if (!image.manifests.empty())
                record.digests.insert(reference.name() + "@" + digest_of(image.manifests.front()));
        }
        for (LayerStore::Pin& pin : keep_layers(image, chains_of(image.parsed), moved, interrupt))
            pins.push_back(std::move(pin));
        interrupt.check();
        const std::vector<std::string> given(record.names.begin(), record.names.end());
        loaded.images.push_back(
            {keep(image.manifests, image.config, image.parsed, std::move(record)), given});
    }
    return loaded;
}

images::Image DirectoryStore::describe(const std::string& id, const ImageRecord& record) const {
    images::Image image;
    image.image_id = id;
    image.names.assign(record.names.begin(), record.names.end());
    image.digests.assign(record.digests.begin(), record.digests.end());
    image.user = record.user;
    std::uint64_t bytes = record.config_bytes;
    for (const std::string& chain : record.chains) bytes += layers_.bytes(chain);
    image.size_bytes = std::int64_t(bytes);
    return image;
}

images::Listed DirectoryStore::list() const {
    const std::lock_guard lock(mutex_);
    images::Listed listed;
    for (const auto& [id, record] : table_.images) listed.images.push_back(describe(id, record));
    return listed;
}

images::Inspected DirectoryStore::inspect(const std::string& image) const {
    const std::lock_guard lock(mutex_);
    const auto found = table_.find(image);
    if (found == table_.images.end()) return {};
    return {describe(found->first, found->second)};
}

void DirectoryStore::remove(const std::string& image_id) {
    std::unique_lock change_lock(change_mutex_);
    ImageTable next;
    std::vector<std::string> chains;
    {
        const std::lock_guard lock(mutex_);
        const auto found = table_.find(image_id);
        if (found == table_.images.end()) return;
        const std::string id = found->first;
        if (const auto held = holders_.find(id); held != holders_.end())
            throw Error(Code::conflict,
                        "the image " + id + " is in use by the container " + *held->second.begin());
        chains = found->second.chains;
        next = table_;
        next.images.erase(id);
        // Nobody can hold it from here on.
        std::swap(table_, next);
    }
    try {
        save_in_any_case(table_);
    } catch (const Error&) {
        const std::lock_guard lock(mutex_);
        std::swap(table_, next);
        throw;
    }
    sweep_blobs();
    change_lock.unlock();
    for (const std::string& chain : chains) layers_.release(chain);
    const std::lock_guard again(change_mutex_);
    make_reserve();
}

// On a full disk images must still be removed: that is how it gets room.
void DirectoryStore::save_in_any_case(const ImageTable& table) {
    try {
        save(table);
    } catch (const Error& error) {
        if (error.code() != Code::exhausted) throw;
        remove_tree(directory_.get(), reserve_name);
        save(table);
    }
}

void DirectoryStore::make_reserve() {
    const Descriptor file(
        ::openat(directory_.get(), reserve_name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file || ::posix_fallocate(file.get(), 0, reserve_bytes) != 0)
        warn("the disk of the image store " + settings_.directory +
             " is so full that even removing images may fail: give it more room");
}

images::Usage DirectoryStore::usage() const {
    const LayerStore::Total layers = layers_.total();
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = layers.bytes;
    std::uint64_t inodes = layers.inodes;
    for (const auto& [id, record] : table_.images) {
        bytes += record.config_bytes;
        inodes += 1 + record.manifests.size();
    }
    return {std::int64_t(bytes), std::int64_t(inodes), settings_.directory};
}

ResolvedImage DirectoryStore::hold(const std::string& image_id, const std::string& holder) {
    const std::lock_guard lock(mutex_);
    const auto found = table_.find(image_id);
    const std::optional<std::string> bytes =
        found == table_.images.end() ? std::nullopt : blobs_.get(found->first, settings_.limits.config_bytes);
    if (!bytes) throw Error(Code::not_found, "there is no image " + image_id + ": pull it first", "imageId");
    ResolvedImage resolved;
    resolved.image_id = found->first;
    resolved.config = parse_config(*bytes, settings_.limits).image;
    for (const std::string& chain : found->second.chains)
        resolved.layers.push_back(settings_.directory + "/layers/" + hex_of(chain) + "/root");
    holders_[found->first].insert(holder);
    return resolved;
}

void DirectoryStore::release(const std::string& image_id, const std::string& holder) {
    const std::lock_guard lock(mutex_);
    const auto image = table_.find(image_id);
    const auto found = holders_.find(image == table_.images.end() ? image_id : image->first);
    if (found == holders_.end()) return;
    found->second.erase(holder);
    if (found->second.empty()) holders_.erase(found);
}

images::Pulled DirectoryStore::pull(const images::Pull& request, const Call& call) {
    const Reference reference = parse_reference(request.image);
    const PulledImage pulled =
        pull_image(request.image, reference, request.credentials, {settings_, layers_, slots_, board_}, call);
    ImageRecord record;
    if (reference.digest.empty()) record.names.insert(reference.text());
    record.digests.insert(reference.name() + "@" + digest_of(pulled.manifests.front()));
    return {keep(pulled.manifests, pulled.config, pulled.parsed, std::move(record))};
}

}  // namespace

std::unique_ptr<ImageStore> make_image_store(StoreSettings settings) {
    return std::make_unique<DirectoryStore>(std::move(settings));
}

}  // namespace keelson::oci
