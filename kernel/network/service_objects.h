// Services and their slices, put together, with what has changed: what the tables of this room are made from.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "kernel/client/informer.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/discovery_v1.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::network {

class ServiceObjects {
  public:
    using Slices = std::map<client::ObjectKey, client::ObjectPointer>;

    void service_changed(const client::ObjectKey& key, client::ObjectPointer now) {
        changed_.insert(key);
        if (now)
            services_[key] = std::move(now);
        else
            services_.erase(key);
    }

    void slice_changed(const client::ObjectKey& key, client::ObjectPointer now) {
        const auto before = owners_.find(key);
        const client::ObjectKey owner = now ? owner_of(*now) : client::ObjectKey();
        if (before != owners_.end() && (!now || before->second != owner)) {
            changed_.insert(before->second);
            Slices& slices = slices_[before->second];
            slices.erase(key);
            if (slices.empty()) slices_.erase(before->second);
            owners_.erase(before);
        }
        if (!now || owner.name.empty()) return;
        changed_.insert(owner);
        slices_[owner][key] = std::move(now);
        owners_[key] = owner;
    }

    void all_changed() {
        for (const auto& [key, service] : services_) changed_.insert(key);
    }

    [[nodiscard]] std::set<client::ObjectKey> take_changed() { return std::exchange(changed_, {}); }
    // Null when there is none.
    [[nodiscard]] client::ObjectPointer service(const client::ObjectKey& key) const {
        const auto found = services_.find(key);
        return found == services_.end() ? nullptr : found->second;
    }
    [[nodiscard]] const Slices& slices_of(const client::ObjectKey& service) const {
        static const Slices none;
        const auto found = slices_.find(service);
        return found == slices_.end() ? none : found->second;
    }

  private:
    static client::ObjectKey owner_of(const client::CachedObject& slice) {
        const api_types::discovery_v1::EndpointSlice view(slice.root());
        return {slice.key().namespace_name,
                std::string(view.metadata().labels()["kubernetes.io/service-name"])};
    }

    std::map<client::ObjectKey, client::ObjectPointer> services_;
    std::map<client::ObjectKey, Slices> slices_;             // by service
    std::map<client::ObjectKey, client::ObjectKey> owners_;  // services by slice
    std::set<client::ObjectKey> changed_;
};

}  // namespace keelson::network
