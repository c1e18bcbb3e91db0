#include "kernel/node/image_keeper.h"

#include <algorithm>

#include "kernel/base/log.h"

namespace keelson::node {
namespace {

using base::Result;
using base::Task;

}  // namespace

Task<void> ImageKeeper::look(MachineState machine, std::vector<std::shared_ptr<PodRecord>> records) {
    take_note(records);
    const ImageKeeping& keeping = settings_.image_keeping;
    const std::int64_t used = machine.disk_bytes - machine.available_disk_bytes;
    const std::int64_t percent = machine.disk_bytes / 100;
    if (percent == 0 || used < percent * keeping.high_percent) co_return;
    auto listing = parts_.images.list();
    Result<std::vector<Image>> listed = co_await listing;
    if (!listed) co_return;
    std::int64_t wanted = used - percent * keeping.low_percent;
    for (const Image& image : unused(std::move(*listed))) {
        if (wanted <= 0) co_return;
        auto removing = parts_.images.remove(image.id);
        const Result<void> removed = co_await removing;
        if (!removed) {
            base::log_warning("an image was not removed", {{"image", image.id}, {"reason", removed.error()}});
            continue;
        }
        base::log_info("the disk is full: an image that nothing uses was removed", {{"image", image.id}});
        wanted -= image.size_bytes;
        last_used_.erase(image.id);
    }
}

void ImageKeeper::take_note(const std::vector<std::shared_ptr<PodRecord>>& records) {
    const base::MonotonicTime now = parts_.executor.clock().now();
    for (const auto& record : records)
        for (const ContainerRecord& container : record->containers)
            for (const auto* one : {&container.current, &container.previous})
                if (*one) last_used_[(*one)->image_id] = now;
}

std::vector<Image> ImageKeeper::unused(std::vector<Image> images) {
    const base::MonotonicTime now = parts_.executor.clock().now();
    std::map<std::string, base::MonotonicTime> still_there;
    for (const Image& image : images) {
        const auto known = last_used_.find(image.id);
        still_there[image.id] = known == last_used_.end() ? now : known->second;
    }
    last_used_ = std::move(still_there);
    std::erase_if(images, [&](const Image& image) {
        return now - last_used_[image.id] < settings_.image_keeping.minimum_age;
    });
    std::ranges::sort(images, {}, [&](const Image& image) { return last_used_[image.id]; });
    return images;
}

}  // namespace keelson::node
