#include "kernel/store/watch_hub.h"

#include <algorithm>

namespace keelson::store {

// Guarded by the hub's mutex, apart from the constants.
struct Subscription {
    std::string prefix;
    std::size_t bucket_length = 0;  // of the part of the prefix up to its last '/'
    Position cursor = 0;
    bool armed = false;
    bool looked = false;  // armed, and everything before the arming was looked at
    base::Callback notify;
};

class HubWatch final : public Watch {
  public:
    HubWatch(std::shared_ptr<WatchHub> hub, std::shared_ptr<const ChangeSource> source, std::string prefix,
             Revision after)
        : hub_(std::move(hub)), source_(std::move(source)) {
        const std::size_t slash = prefix.rfind('/');
        subscription_.bucket_length = slash == std::string::npos ? 0 : slash + 1;
        subscription_.prefix = std::move(prefix);
        subscription_.cursor = last_position(after);
        std::lock_guard lock(hub_->mutex_);
        hub_->add(subscription_);
    }
    ~HubWatch() override {
        base::Callback dropped;
        std::lock_guard lock(hub_->mutex_);
        hub_->remove(subscription_);
        if (subscription_.armed) --hub_->armed_;
        dropped = std::move(subscription_.notify);
    }

    base::Result<std::size_t> poll(std::size_t limit,
                                   const std::function<void(const Event&)>& visit) override {
        std::vector<Change> changes;
        std::unique_lock lock(hub_->mutex_);
        const Position cursor = effective_cursor_locked();
        const bool armed = subscription_.armed;
        lock.unlock();
        KEELSON_TRY(const Position next, source_->collect(cursor, subscription_.prefix, limit, changes));
        for (const Change& change : changes) visit(change.to_event());
        // The hub leaves the cursor of a watch alone that is not armed.
        if (armed) lock.lock();
        subscription_.cursor = std::max(subscription_.cursor, next);
        return changes.size();
    }

    [[nodiscard]] Revision progress() const override {
        const Position cursor = effective_cursor();
        // In the midst of a transaction its revision has not been delivered yet.
        return cursor == last_position(revision_of(cursor)) ? revision_of(cursor) : revision_of(cursor) - 1;
    }

    void arm(base::Callback notify) override {
        // Armed first and looked second: a change in between is found by one of the two.
        base::Callback replaced;
        Position cursor = 0;
        {
            std::lock_guard lock(hub_->mutex_);
            subscription_.cursor = cursor = effective_cursor_locked();
            if (!subscription_.armed) ++hub_->armed_;
            replaced = std::move(subscription_.notify);
            subscription_.notify = std::move(notify);
            subscription_.armed = true;
            // The hub has not been told of anything newer: it will be, and finds the watch armed.
            subscription_.looked = cursor >= hub_->processed_;
            if (subscription_.looked) return;
        }
        std::vector<Change> changes;
        const auto next = source_->collect(cursor, subscription_.prefix, 1, changes);
        base::Callback due;
        {
            std::lock_guard lock(hub_->mutex_);
            if (!subscription_.armed) return;  // has fired meanwhile
            if (next && changes.empty()) {
                subscription_.cursor = std::max(subscription_.cursor, *next);
                subscription_.looked = true;
                return;
            }
            // Something to deliver, or an error that poll() will report.
            subscription_.armed = false;
            --hub_->armed_;
            due = std::move(subscription_.notify);
        }
        if (due) due();
    }

  private:
    // While a watch is armed and silent, whatever the hub has looked at does not concern it.
    [[nodiscard]] Position effective_cursor() const {
        std::lock_guard lock(hub_->mutex_);
        return effective_cursor_locked();
    }
    [[nodiscard]] Position effective_cursor_locked() const {
        const bool silent = subscription_.armed && subscription_.looked;
        return silent ? std::max(subscription_.cursor, hub_->processed_) : subscription_.cursor;
    }

    std::shared_ptr<WatchHub> hub_;
    std::shared_ptr<const ChangeSource> source_;
    Subscription subscription_;
};

std::unique_ptr<Watch> WatchHub::make_watch(std::shared_ptr<WatchHub> hub,
                                            std::shared_ptr<const ChangeSource> source, std::string prefix,
                                            Revision after) {
    return std::make_unique<HubWatch>(std::move(hub), std::move(source), std::move(prefix), after);
}

void WatchHub::add(Subscription& subscription) {
    const std::string_view prefix = subscription.prefix;
    auto& bucket = buckets_[std::string(prefix.substr(0, subscription.bucket_length))];
    const std::string rest(prefix.substr(subscription.bucket_length));
    if (rest.empty()) {
        bucket.whole.push_back(&subscription);
    } else {
        bucket.longer[rest].push_back(&subscription);
        ++bucket.lengths[rest.size()];
    }
}

void WatchHub::remove(Subscription& subscription) {
    const std::string_view prefix = subscription.prefix;
    const auto found = buckets_.find(prefix.substr(0, subscription.bucket_length));
    Bucket& bucket = found->second;
    const std::string rest(prefix.substr(subscription.bucket_length));
    if (rest.empty()) {
        std::erase(bucket.whole, &subscription);
    } else {
        auto& same = bucket.longer[rest];
        std::erase(same, &subscription);
        if (same.empty()) bucket.longer.erase(rest);
        if (--bucket.lengths[rest.size()] == 0) bucket.lengths.erase(rest.size());
    }
    if (bucket.whole.empty() && bucket.longer.empty()) buckets_.erase(found);
}

void WatchHub::fire(const std::vector<Subscription*>& subscriptions, Position position,
                    std::vector<base::Callback>& notify) {
    for (Subscription* subscription : subscriptions) {
        if (!subscription->armed || position <= subscription->cursor) continue;
        // Nothing between the cursor and this change concerns the watch: it has been armed all the while.
        if (subscription->looked) subscription->cursor = std::max(subscription->cursor, position - 1);
        subscription->armed = false;
        notify.push_back(std::move(subscription->notify));
    }
}

void WatchHub::match(const Change& change, std::vector<base::Callback>& notify) {
    const std::string_view key = change.record->fields().key;
    for (std::size_t end = 0; end != std::string_view::npos;) {
        if (const auto found = buckets_.find(key.substr(0, end)); found != buckets_.end()) {
            fire(found->second.whole, change.position(), notify);
            const std::string_view rest = key.substr(end);
            for (const auto& [length, count] : found->second.lengths) {
                if (length > rest.size()) break;
                const auto longer = found->second.longer.find(std::string(rest.substr(0, length)));
                if (longer != found->second.longer.end()) fire(longer->second, change.position(), notify);
            }
        }
        end = key.find('/', end);
        if (end != std::string_view::npos) ++end;
    }
}

void WatchHub::publish(std::span<const Change> changes, Position processed) {
    std::vector<base::Callback> notify;
    {
        std::lock_guard lock(mutex_);
        for (const Change& change : changes) {
            if (armed_ == notify.size()) break;
            match(change, notify);
        }
        armed_ -= notify.size();
        processed_ = processed;
    }
    for (auto& callback : notify) callback();
}

}  // namespace keelson::store
