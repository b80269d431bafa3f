// Traces in the format of Chrome, which Perfetto reads: a process for each rank, a thread for each
// of its tracks. https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
#pragma once

#include <filesystem>
#include <string>

#include "launcher/trace/clock_offset.h"
#include "launcher/trace/trace_recorder.h"
#include "parallel/comm/communicator.h"

namespace edt {

// The events of one rank: JSON objects with commas between. Times are microseconds of the first
// rank's clock since the clocks were compared.
std::string trace_events(const SpanRecord& record, int rank, const std::string& host,
                         const ClockOffset& clock);

// The traces of all ranks in one file, complete or not there. The first rank holds the text of one
// other at a time. All ranks call it.
void write_trace(const std::filesystem::path& file, const std::string& events, Communicator& ranks);

}  // namespace edt
