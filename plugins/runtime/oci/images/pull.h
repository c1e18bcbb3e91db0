// An image from a registry: its manifest for this machine, its config, and its layers in parallel.
#ifndef KEELSON_OCI_PULL_H
#define KEELSON_OCI_PULL_H

#include <condition_variable>
#include <functional>
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
};

[[nodiscard]] PulledImage pull_image(const Reference& reference,
                                     const std::vector<images::Credentials>& credentials,
                                     const PullContext& context, const Call& call);

}  // namespace keelson::oci

#endif
