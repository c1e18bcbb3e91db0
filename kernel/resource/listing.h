// Lists and watches of one resource.
//
// A list reads one revision, page by page: each step copies at most a quarter of a megabyte inside one store
// read, so a slow reader holds nothing open. A watch is a cursor over the store's events with the selectors
// applied: an object that leaves them is a DELETED for this watcher.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "kernel/base/result.h"
#include "kernel/object/selector.h"
#include "kernel/resource/call.h"
#include "kernel/store/store.h"

namespace keelson::resource {

// The selectors of a request, ready to be asked about records.
class Filter {
  public:
    [[nodiscard]] static base::Result<Filter> parse(const Call& call, const ListOptions& options);
    // False also for records that cannot be read.
    [[nodiscard]] bool matches(const store::Record& record) const;
    [[nodiscard]] bool matches_everything() const { return labels_.empty() && fields_.empty(); }
    // The one name that can match; empty when there is no such restriction.
    [[nodiscard]] const std::string& only_name() const { return only_name_; }
    [[nodiscard]] const std::string& only_namespace() const { return only_namespace_; }

  private:
    const object::Resource* resource_ = nullptr;
    object::LabelSelector labels_;
    object::FieldSelector fields_;
    bool needs_object_ = false;  // fields beyond name and namespace are asked for
    std::string only_name_;
    std::string only_namespace_;
};

// Combinations of list and watch options that Kubernetes refuses.
[[nodiscard]] base::Result<void> check_list_options(const ListOptions& options, bool watch);

class Listing {
  public:
    [[nodiscard]] static base::Result<Listing> start(store::Store& store, const Call& call,
                                                     const ListOptions& options);

    // Visits the next records that match, about 256 KiB of them; false when the page is complete.
    [[nodiscard]] base::Result<bool> step(const std::function<void(const store::Record&)>& visit);

    // Valid once step() has returned false.
    [[nodiscard]] std::string continue_token() const;
    [[nodiscard]] std::optional<std::int64_t> remaining() const { return remaining_; }

    [[nodiscard]] store::Revision revision() const { return revision_; }
    [[nodiscard]] bool is_limited() const { return limit_ > 0; }

  private:
    Listing(store::Store& store, Filter filter) : store_(&store), filter_(std::move(filter)) {}
    base::Result<void> read_continue_token(const std::string& token);

    store::Store* store_;
    Filter filter_;
    std::string prefix_;
    std::string base_prefix_;  // what continue tokens are relative to
    std::string next_key_;
    store::Revision revision_ = 0;
    std::int64_t limit_ = 0;
    std::int64_t visited_ = 0;
    bool more_ = false;
    std::optional<std::int64_t> remaining_;
};

enum class WatchEventType : std::uint8_t { added, modified, removed, bookmark, initial_events_end };

class WatchStream {
  public:
    // Fails as a list does; an expired revision fails with Reason::expired.
    [[nodiscard]] static base::Result<WatchStream> start(store::Store& store, const Call& call,
                                                         const ListOptions& options);

    // Delivers what is there, initial state first, at most about `limit` events; 0 = nothing now.
    // Bookmarks come with an empty record whose `modified` is the revision.
    [[nodiscard]] base::Result<std::size_t> poll(
        std::size_t limit, const std::function<void(WatchEventType, const store::Record&)>& visit);
    // Whether a part of the initial state is still to be polled: arm() does not know of it.
    [[nodiscard]] bool has_more_initial() const { return initial_.has_value(); }
    // notify runs once, on a store thread, when poll() may have something beyond the initial state; at once
    // when there is something already.
    void arm(base::Callback notify) { watch_->arm(std::move(notify)); }
    // Everything up to here was delivered.
    [[nodiscard]] store::Revision progress() const { return watch_->progress(); }

  private:
    WatchStream() = default;

    Filter filter_;
    std::optional<Listing> initial_;
    bool announce_end_of_initial_ = false;
    std::unique_ptr<store::Watch> watch_;
};

// "Too large resource version".
[[nodiscard]] base::Status too_large_version(std::string_view wanted, store::Revision current);

}  // namespace keelson::resource
