#include "pull.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "digest.h"
#include "keelson/error.hpp"
#include "registry.h"

namespace keelson::oci {
namespace {

constexpr auto look_again_after = std::chrono::milliseconds(20);
constexpr int maximum_nesting = 4;

class Pulling {
  public:
    Pulling(const std::string& image, const Reference& reference,
            const std::vector<images::Credentials>& credentials, const PullContext& context, const Call& call)
        : reference_(reference),
          context_(context),
          progress_(context.board, image),
          interrupt_(call, context.settings.monotonic),
          repository_(context.settings, reference, credentials, interrupt_) {}

    PulledImage run() {
        const Manifest manifest = find_manifest();
        image_.config = repository_.small_blob(manifest.config);
        image_.parsed = parse_config(image_.config, limits());
        check(manifest);
        fetch_layers(manifest);
        interrupt_.check();
        return std::move(image_);
    }

  private:
    [[nodiscard]] const Limits& limits() const { return context_.settings.limits; }

    Manifest find_manifest() {
        std::string version = reference_.version();
        for (int nesting = 0; nesting < maximum_nesting; ++nesting) {
            image_.manifests.push_back(repository_.manifest(version));
            Manifest manifest = parse_manifest(image_.manifests.back(), limits());
            if (!manifest.is_index) return manifest;
            version = choose_manifest(manifest, this_platform()).digest;
        }
        throw Error(Code::invalid, reference_.text() + " is an index of indexes of indexes");
    }

    void check(const Manifest& manifest) const {
        if (manifest.layers.size() != image_.parsed.diff_ids.size())
            throw Error(Code::invalid, reference_.text() + " has " + std::to_string(manifest.layers.size()) +
                                           " layers, and its config describes " +
                                           std::to_string(image_.parsed.diff_ids.size()));
        const Platform& platform = image_.parsed.platform;
        if (!platform.architecture.empty() && !runs_on(platform, this_platform()))
            throw Error(Code::not_found, reference_.text() + " is made for " + platform.system + "/" +
                                             platform.architecture + ", which is not this machine");
    }

    void fetch_layers(const Manifest& manifest) {
        std::string chain;
        for (const std::string& diff_id : image_.parsed.diff_ids)
            chains_.push_back(chain = chain_id(chain, diff_id));
        std::uint64_t whole_bytes = 0;
        for (const Content& layer : manifest.layers) whole_bytes += layer.size;
        progress_.set_whole(whole_bytes);
        const std::size_t workers =
            std::clamp<std::size_t>(context_.settings.parallel_downloads, 1, chains_.size() + 1);
        {
            std::vector<std::jthread> threads;
            for (std::size_t index = 1; index < std::min(workers, chains_.size()); ++index)
                threads.emplace_back([&] { work(manifest); });
            work(manifest);
        }
        if (failure_) std::rethrow_exception(failure_);
    }

    // One of several that take the next layer until there is none.
    void work(const Manifest& manifest) {
        try {
            for (std::size_t index = next_++; index < chains_.size(); index = next_++) {
                interrupt_.check();
                fetch_layer(manifest.layers[index], index);
            }
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!failure_) failure_ = std::current_exception();
            interrupt_.stop();
        }
    }

    void fetch_layer(const Content& content, std::size_t index) {
        bool is_fetched = false;
        LayerStore::Pin pin = context_.layers.ensure(chains_[index], interrupt_, [&] {
            is_fetched = true;
            return build(content, image_.parsed.diff_ids[index]);
        });
        if (!is_fetched) progress_.add(content.size);
        const std::lock_guard lock(mutex_);
        image_.layers.push_back(std::move(pin));
    }

    BuiltLayer build(const Content& content, const std::string& diff_id) {
        const DownloadSlots::Slot slot(context_.slots, interrupt_);
        Workspace place = context_.layers.make_workspace();
        const auto source = repository_.blob(content, [&](std::uint64_t bytes) { progress_.add(bytes); });
        UnpackedLayer unpacked = unpack_layer(*source, place.root(), limits());
        if (unpacked.diff_id != diff_id)
            throw Error(Code::invalid,
                        "the layer " + content.digest + " is not " + diff_id + " as the config says");
        return {std::move(place), std::move(unpacked)};
    }

    const Reference& reference_;
    const PullContext& context_;
    PullBoard::Entry progress_;
    Interrupt interrupt_;
    Repository repository_;
    PulledImage image_;
    std::vector<std::string> chains_;
    std::atomic<std::size_t> next_ = 0;
    std::mutex mutex_;
    std::exception_ptr failure_;
};

}  // namespace

DownloadSlots::Slot::Slot(DownloadSlots& slots, const Interrupt& interrupt) : slots_(slots) {
    std::unique_lock lock(slots_.mutex_);
    while (slots_.free_ == 0) {
        slots_.changed_.wait_for(lock, look_again_after);
        interrupt.check();
    }
    --slots_.free_;
}

DownloadSlots::Slot::~Slot() {
    {
        const std::lock_guard lock(slots_.mutex_);
        ++slots_.free_;
    }
    slots_.changed_.notify_one();
}

PullBoard::Entry::Entry(PullBoard& board, std::string image) : board_(board), image_(std::move(image)) {
    const std::lock_guard lock(board_.mutex_);
    board_.entries_.push_back(this);
}

PullBoard::Entry::~Entry() {
    const std::lock_guard lock(board_.mutex_);
    board_.entries_.remove(this);
}

images::Pulls PullBoard::list() const {
    const std::lock_guard lock(mutex_);
    images::Pulls result;
    for (const Entry* entry : entries_)
        result.pulls.push_back({entry->image_, std::int64_t(entry->done_bytes_.load()),
                                std::int64_t(entry->whole_bytes_.load())});
    return result;
}

PulledImage pull_image(const std::string& image, const Reference& reference,
                       const std::vector<images::Credentials>& credentials, const PullContext& context,
                       const Call& call) {
    return Pulling(image, reference, credentials, context, call).run();
}

}  // namespace keelson::oci
