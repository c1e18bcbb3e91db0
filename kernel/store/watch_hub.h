// Watches: who waits for which prefix, and the cursor that each of them is. The same for every engine; an
// engine supplies the changes (ChangeSource) and tells the hub about new ones. Private to kernel/store.
//
// A change costs a few hash lookups (one a path component of its key), however many watches there are: a
// watch is found by the longest part of its prefix that ends in '/', then by the rest of it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/store/record.h"

namespace keelson::store {

// The changes of a store in order. Thread-safe.
class ChangeSource {
  public:
    virtual ~ChangeSource() = default;
    // Appends at most `limit` changes below prefix after the cursor to `changes` and returns the new cursor:
    // past the last one appended, or past everything there is. Reason::expired when the cursor is compacted.
    [[nodiscard]] virtual base::Result<Position> collect(Position cursor, std::string_view prefix,
                                                         std::size_t limit,
                                                         std::vector<Change>& changes) const = 0;
};

struct Subscription;

class WatchHub {
  public:
    // `processed`: everything up to here is old news.
    explicit WatchHub(Position processed) : processed_(processed) {}

    // Finds the armed watches that one of the changes concerns and calls their notify. Changes come in order,
    // after ChangeSource has them; `processed` is the position of the last one. Runs the callbacks on the
    // calling thread.
    void publish(std::span<const Change> changes, Position processed);
    // Makes a watch. The source is kept alive by it.
    [[nodiscard]] static std::unique_ptr<Watch> make_watch(std::shared_ptr<WatchHub> hub,
                                                           std::shared_ptr<const ChangeSource> source,
                                                           std::string prefix, Revision after);

  private:
    friend class HubWatch;
    struct Bucket {
        std::vector<Subscription*> whole;                                    // the prefix is the bucket's own
        std::unordered_map<std::string, std::vector<Subscription*>> longer;  // by the part after it
        std::map<std::size_t, std::size_t> lengths;  // of those parts, with their number
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };

    void add(Subscription& subscription);
    void remove(Subscription& subscription);
    void match(const Change& change, std::vector<base::Callback>& notify);
    static void fire(const std::vector<Subscription*>& subscriptions, Position position,
                     std::vector<base::Callback>& notify);

    std::mutex mutex_;
    std::unordered_map<std::string, Bucket, TextHash, std::equal_to<>> buckets_;
    std::size_t armed_ = 0;
    Position processed_;
};

}  // namespace keelson::store
