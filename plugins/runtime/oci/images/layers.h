// Unpacked layers by chain id: layers/<hex>/root, with layer.json beside it.
//
// A layer that is in no image and in no hand is removed; what a crash leaves is swept at the next start.
#ifndef KEELSON_OCI_LAYERS_H
#define KEELSON_OCI_LAYERS_H

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "interrupt.h"
#include "keelson/call.hpp"
#include "unpack.h"

namespace keelson::oci {

// A directory below tmp/ that goes away with its owner, unless it was moved into place.
class Workspace {
  public:
    // Makes it, with an empty "root" in it.
    Workspace(int temporary_directory, std::string name);
    Workspace(Workspace&& other) noexcept;
    Workspace& operator=(Workspace&&) = delete;
    ~Workspace();

    [[nodiscard]] int directory() const { return directory_.get(); }
    [[nodiscard]] int root() const { return root_.get(); }
    // From then on it is not removed.
    void move_to(int directory, const std::string& name);

  private:
    int temporary_directory_;
    std::string name_;
    Descriptor directory_;
    Descriptor root_;
};

struct BuiltLayer {
    Workspace place;
    UnpackedLayer content;
};

class LayerStore {
  public:
    // Both stay the caller's.
    LayerStore(int directory, int temporary_directory);

    // A layer that stays as long as this does.
    class Pin {
      public:
        Pin(LayerStore& store, std::string chain) : store_(&store), chain_(std::move(chain)) {}
        Pin(Pin&& other) noexcept
            : store_(std::exchange(other.store_, nullptr)), chain_(std::move(other.chain_)) {}
        Pin& operator=(Pin&&) = delete;
        ~Pin();
        [[nodiscard]] const std::string& chain() const { return chain_; }

      private:
        LayerStore* store_;
        std::string chain_;
    };
    using Builder = std::function<BuiltLayer()>;

    // At the start: whether the layer is there and whole. Then it is as if retained once.
    [[nodiscard]] bool find_at_start(const std::string& chain);
    // At the start, after that: removes the others.
    void sweep();

    [[nodiscard]] Workspace make_workspace();
    // The layer as it is there, or as somebody else is just building it, or as builder makes it.
    [[nodiscard]] Pin ensure(const std::string& chain, const Interrupt& interrupt, const Builder& builder);
    // Durable after it. Lowest first: directories that a layer did not describe look like those below.
    void commit(const std::vector<std::string>& chains);

    void retain(const std::string& chain);
    void release(const std::string& chain) noexcept;

    // Nothing when it is not there.
    [[nodiscard]] std::uint64_t bytes(const std::string& chain) const;
    struct Total {
        std::uint64_t bytes = 0;
        std::uint64_t inodes = 0;
    };
    [[nodiscard]] Total total() const;
    [[nodiscard]] Descriptor open_root(const std::string& chain) const;

  private:
    struct Entry {
        bool is_ready = false;
        bool is_durable = false;
        std::size_t uses = 0;
        std::uint64_t bytes = 0;
        std::uint64_t inodes = 0;
        std::set<std::string> implicit_directories;
    };

    [[nodiscard]] std::optional<Entry> read_entry(const std::string& chain) const;
    [[nodiscard]] bool claim(const std::string& chain, const Interrupt& interrupt);
    void install(const std::string& chain, BuiltLayer built);
    void abandon(const std::string& chain);
    [[nodiscard]] std::vector<std::string> not_durable(const std::vector<std::string>& chains) const;
    void inherit(const std::vector<std::string>& chains, std::size_t index);
    void discard(const std::string& name) noexcept;

    int directory_;
    int temporary_directory_;
    std::atomic<std::uint64_t> serial_ = 0;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, Entry> entries_;  // by chain id
    std::mutex commit_mutex_;
};

}  // namespace keelson::oci

#endif
