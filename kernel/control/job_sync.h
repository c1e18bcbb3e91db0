// One reconcile of a Job that has not ended.
//
// A pod's end is counted exactly once: its uid goes into status.uncountedTerminatedPods, then its finalizer
// goes, then the uid moves into the counts. Each step is written before the next, so a stop in between loses
// nothing and counts nothing twice.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernel/control/controller.h"
#include "kernel/control/job_progress.h"

namespace keelson::control {

// How a Job that ended ended: by its conditions Complete or Failed.
struct JobEnd {
    bool is_success = false;
    base::WallTime at{};
};
[[nodiscard]] std::optional<JobEnd> end_of_job(object::Value job);

// Lets the pods go that nobody counts any more.
[[nodiscard]] base::Task<base::Result<void>> release_pods(Writer& writer, ObjectList pods);

// `pods` are all of the Job's own.
[[nodiscard]] base::Task<base::Result<Again>> sync_job(const Surroundings& surroundings, Writer& writer,
                                                       client::EventRecorder& events, JobBackoff& backoff,
                                                       ObjectPointer job, ObjectList pods);

}  // namespace keelson::control
