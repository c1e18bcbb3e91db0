// The names of sdk/host_protocol that this room uses as its own.
#pragma once

#include "kernel/base/result.h"
#include "sdk/host_protocol/capabilities.h"
#include "sdk/host_protocol/frames.h"
#include "sdk/host_protocol/hello.h"
#include "sdk/host_protocol/outcome.h"

namespace keelson::plugin {

using host_protocol::capability_id;
using host_protocol::find_capability;
using host_protocol::find_method;
using host_protocol::Frame;
using host_protocol::FrameSocket;
using host_protocol::FrameType;
using host_protocol::Hello;
using host_protocol::is_short;
using host_protocol::kHealth;
using host_protocol::kMostCapabilities;
using host_protocol::kMostMethods;
using host_protocol::kStart;
using host_protocol::kStop;
using host_protocol::method_name;
using host_protocol::method_text;
using host_protocol::MethodId;
using host_protocol::MethodSet;

// A process that has gone may be tried again; nonsense is a fault.
[[nodiscard]] base::Status status_of(const host_protocol::Problem& problem);

}  // namespace keelson::plugin
