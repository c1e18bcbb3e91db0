// An image from a registry: its manifest for this machine, its config, and its layers in parallel.
#ifndef KEELSON_OCI_PULL_H
#define KEELSON_OCI_PULL_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "documents.h"
#include "interrupt.h"
#include "layers.h"
#include "make_image_store.h"
#include "reference.h"

namespace keelson::oci {

// How many downloads may run at once, all pulls together.
class DownloadSlots {
  public:
    explicit DownloadSlots(std::size_t count) : free_(count) {}

    class Slot {
      public:
        Slot(DownloadSlots& slots, const Interrupt& interrupt);
        ~Slot();
        Slot(const Slot&) = delete;
        Slot& operator=(const Slot&) = delete;

      private:
        DownloadSlots& slots_;
    };

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t free_;
};

// How far the pulls under way are. Thread-safe.
class PullBoard {
  public:
    // The place of one pull, as long as it lasts.
    class Entry {
      public:
        Entry(PullBoard& board, std::string image);
        ~Entry();
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

        void set_whole(std::uint64_t bytes) { whole_bytes_ = bytes; }
        void add(std::uint64_t bytes) { done_bytes_ += bytes; }

      private:
        friend class PullBoard;
        PullBoard& board_;
        const std::string image_;
        std::atomic<std::uint64_t> done_bytes_ = 0;
        std::atomic<std::uint64_t> whole_bytes_ = 0;
    };

    [[nodiscard]] images::Pulls list() const;

  private:
    mutable std::mutex mutex_;
    std::list<const Entry*> entries_;  // the oldest first
};

struct PulledImage {
    std::vector<std::string> manifests;  // the index first, if there is one
    std::string config;
    Config parsed;
    std::vector<LayerStore::Pin> layers;  // in no order
};

struct PullContext {
    const StoreSettings& settings;
    LayerStore& layers;
    DownloadSlots& slots;
    PullBoard& board;
};

// image: what the caller calls it, on the board.
[[nodiscard]] PulledImage pull_image(const std::string& image, const Reference& reference,
                                     const std::vector<images::Credentials>& credentials,
                                     const PullContext& context, const Call& call);

}  // namespace keelson::oci

#endif
