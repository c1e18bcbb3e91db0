#include "kernel/control/slice_writer.h"

#include <algorithm>

#include "kernel/base/gather.h"
#include "kernel/control/ownership.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::discovery_v1::Endpoint;
using api_types::discovery_v1::EndpointPort;
using api_types::discovery_v1::EndpointSlice;
using api_types::meta_v1::ObjectMeta;
using base::Result;
using base::Task;
using object::Arena;
using object::Document;
using object::Value;

constexpr Collection kSlices = client::collections::endpoint_slices;

using Ports = std::vector<ServicePort>;

// A slice as it is to be; `present` is null for a new one.
struct Slice {
    ObjectPointer present;
    Ports ports;
    std::vector<Endpoint> endpoints;
    bool is_changed = false;
};

Ports ports_of(EndpointSlice slice) {
    Ports ports;
    for (const EndpointPort port : slice.ports())
        ports.push_back({std::string(port.name()), std::string(port.protocol()), port.port(),
                         std::string(port.app_protocol())});
    return ports;
}

// Two endpoints of one identity are the same one in another state.
std::string identity_of(Endpoint endpoint) {
    std::string text;
    for (const std::string_view address : endpoint.addresses()) text += std::string(address) + ' ';
    return text + '\0' + std::string(endpoint.target_ref().uid()) + '\0' + std::string(endpoint.hostname()) +
           '\0' + std::string(endpoint.node_name());
}

// The slices of one set of ports.
class Packing {
  public:
    Packing(const Ports& ports, const std::vector<Endpoint>& wanted) : ports_(ports) {
        for (const Endpoint endpoint : wanted) missing_.emplace(identity_of(endpoint), endpoint);
    }

    void keep(const ObjectPointer& present) {
        Slice slice{present, ports_, {}, false};
        for (const Endpoint endpoint : EndpointSlice(present->root()).endpoints()) {
            const auto wanted = missing_.find(identity_of(endpoint));
            if (wanted == missing_.end()) {
                slice.is_changed = true;
                continue;
            }
            slice.is_changed |= !endpoint.untyped().equals(wanted->second.untyped());
            slice.endpoints.push_back(wanted->second);
            missing_.erase(wanted);
        }
        slices_.push_back(std::move(slice));
    }

    // First into slices that are written anyway, then into one that has room for all of the rest, then into
    // new ones.
    std::vector<Slice> finish() {
        for (Slice& slice : slices_)
            if (slice.is_changed) fill(slice);
        if (!missing_.empty())
            for (Slice& slice : slices_)
                if (slice.endpoints.size() + missing_.size() <= most_endpoints_in_slice) fill(slice);
        while (!missing_.empty()) {
            slices_.push_back({nullptr, ports_, {}, true});
            fill(slices_.back());
        }
        return std::move(slices_);
    }

  private:
    void fill(Slice& slice) {
        while (!missing_.empty() && slice.endpoints.size() < most_endpoints_in_slice) {
            slice.endpoints.push_back(missing_.begin()->second);
            slice.is_changed = true;
            missing_.erase(missing_.begin());
        }
    }

    const Ports& ports_;
    std::map<std::string, Endpoint> missing_;
    std::vector<Slice> slices_;
};

class SliceWriter {
  public:
    SliceWriter(Writer& writer, ObjectPointer owner, WantedSlices wanted)
        : writer_(writer), owner_(std::move(owner)), wanted_(std::move(wanted)) {}

    Task<Result<void>> run(ObjectList present) {
        plan(std::move(present));
        std::vector<Task<Result<void>>> tasks;
        for (const Slice& slice : to_write_) tasks.push_back(write(slice));
        for (const ObjectPointer& slice : to_remove_) tasks.push_back(remove(slice));
        auto writing = base::gather(std::move(tasks));
        const std::vector<Result<void>> results = co_await writing;
        for (const Result<void>& result : results)
            if (!result) co_return result.error();
        co_return base::ok();
    }

  private:
    void plan(ObjectList present) {
        std::vector<Slice> slices;
        for (const auto& [ports, endpoints] : wanted_.by_ports) {
            Packing packing(ports, endpoints);
            for (ObjectPointer& slice : present) {
                if (!slice || ports_of(EndpointSlice(slice->root())) != ports) continue;
                packing.keep(slice);
                slice = nullptr;
            }
            for (Slice& slice : packing.finish()) slices.push_back(std::move(slice));
        }
        for (const ObjectPointer& slice : present)
            if (slice) to_remove_.push_back(slice);
        for (Slice& slice : slices) {
            if (slice.endpoints.empty())
                to_remove_.push_back(slice.present);
            else
                to_write_.push_back(std::move(slice));
        }
        if (to_write_.empty() && wanted_.wants_placeholder) to_write_.push_back(placeholder());
        for (Slice& slice : to_write_) {
            if (slice.present || to_remove_.empty()) continue;
            slice.present = to_remove_.back();
            to_remove_.pop_back();
        }
    }

    // One that is empty already is as good as any.
    Slice placeholder() {
        const auto empty = std::ranges::find_if(to_remove_, [](const ObjectPointer& object) {
            const EndpointSlice slice(object->root());
            return slice.endpoints().empty() && slice.ports().empty();
        });
        if (empty == to_remove_.end()) return {nullptr, {}, {}, true};
        Slice slice{*empty, {}, {}, false};
        to_remove_.erase(empty);
        return slice;
    }

    Task<Result<void>> write(Slice slice) {
        Document document = slice.present ? slice.present->clone() : Document();
        Arena& arena = document.arena;
        if (!slice.present) document.root = Value::map(arena);
        const EndpointSlice typed(document.root);
        const std::string before(typed.metadata().annotations()[trigger_time_annotation]);
        describe(typed, before, arena);
        // When is told with a change only.
        if (slice.present && !slice.is_changed && document.root.equals(slice.present->root()))
            co_return base::ok();
        describe(typed, wanted_.trigger_time.value_or(""), arena);
        put_content(typed, slice, arena);
        auto writing =
            slice.present ? writer_.update(kSlices, document.root) : writer_.create(kSlices, document.root);
        const Writer::Object written = co_await writing;
        // The owner's namespace goes.
        if (!written && !slice.present && written.error().code() == 403) co_return base::ok();
        if (!written) co_return written.error();
        co_return base::ok();
    }

    void describe(EndpointSlice slice, const std::string& trigger_time, Arena& arena) const {
        const ObjectMeta metadata = slice.make_metadata(arena);
        if (slice.address_type().empty()) {
            metadata.set_generate_name(arena, owner_->key().name + "-");
            metadata.set_namespace(arena, owner_->key().namespace_name);
            add_controller_reference(metadata, owner_->root(), arena);
            slice.set_address_type(arena, wanted_.address_type);
        }
        metadata.clear_labels();
        metadata.clear_annotations();
        wanted_.describe(metadata, arena);
        if (!trigger_time.empty())
            metadata.make_annotations(arena).set(arena, trigger_time_annotation, trigger_time);
        if (metadata.annotations().empty()) metadata.clear_annotations();
    }

    static void put_content(EndpointSlice slice, const Slice& wanted, Arena& arena) {
        slice.clear_endpoints();
        slice.clear_ports();
        if (!wanted.endpoints.empty()) {
            const auto endpoints = slice.make_endpoints(arena);
            for (const Endpoint endpoint : wanted.endpoints)
                endpoints.add(arena, Endpoint(endpoint.untyped().clone(arena)));
        } else {
            slice.untyped().set(arena, "endpoints", Value::null());
        }
        if (wanted.ports.empty()) {
            slice.untyped().set(arena, "ports", Value::null());
            return;
        }
        const auto ports = slice.make_ports(arena);
        for (const ServicePort& port : wanted.ports) {
            const EndpointPort added = ports.add(arena);
            added.set_name(arena, port.name);
            added.set_protocol(arena, port.protocol);
            added.set_port(arena, port.port);
            if (!port.app_protocol.empty()) added.set_app_protocol(arena, port.app_protocol);
        }
    }

    Task<Result<void>> remove(ObjectPointer slice) {
        auto removing = writer_.remove(kSlices, slice, {});
        const Result<void> removed = co_await removing;
        if (!removed && removed.error().code() != 404) co_return removed.error();
        co_return base::ok();
    }

    Writer& writer_;
    ObjectPointer owner_;
    WantedSlices wanted_;
    std::vector<Slice> to_write_;
    ObjectList to_remove_;
};

}  // namespace

Task<Result<void>> write_slices(Writer& writer, ObjectPointer owner, ObjectList present,
                                WantedSlices wanted) {
    SliceWriter slices(writer, std::move(owner), std::move(wanted));
    auto running = slices.run(std::move(present));
    co_return co_await running;
}

}  // namespace keelson::control
