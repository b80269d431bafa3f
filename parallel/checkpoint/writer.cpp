#include "parallel/checkpoint/writer.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/span.h"
#include "core/storage/access.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "parallel/checkpoint/manifest.h"
#include "parallel/checkpoint/rank_file.h"
#include "parallel/comm/self/self_communicator.h"
#include "parallel/sharding/flat_state.h"

namespace edt {
namespace {

constexpr std::uint64_t kPerDataSet = 2048;  // what HDF5 and the manifest add

// What has failed on some rank.
struct FailedStage : std::runtime_error {
  FailedStage(const std::string& what, bool of_disk) : runtime_error(what), is_of_disk(of_disk) {}
  bool is_of_disk;
};

}  // namespace

std::uint64_t bytes_on_disk(const CheckpointState& state) {
  std::uint64_t bytes = 1 << 16;
  for (const StateFragment& fragment : state.fragments) {
    if (!fragment.written) continue;
    const auto values = static_cast<std::uint64_t>(fragment.region.elements());
    for (const StateArray& array : state.arrays) {
      bytes += values * (array.half ? sizeof(std::uint16_t) : sizeof(float)) + kPerDataSet;
    }
  }
  return bytes;
}

std::uint64_t bytes_on_disk(const std::vector<ExtraArray>& extras) {
  std::uint64_t bytes = 0;
  for (const ExtraArray& extra : extras) {
    bytes += kPerDataSet +
             std::visit([](const auto& v) { return v.size() * sizeof(v[0]); }, extra.values);
  }
  return bytes;
}

struct CheckpointWriter::Job {
  CheckpointInfo info;
  std::vector<ExtraArray> extras;
  std::vector<std::span<const float>> arrays;
  double copy_seconds = 0;
};

CheckpointWriter::CheckpointWriter(CheckpointStore store, std::unique_ptr<Communicator> ranks,
                                   CheckpointState state, CheckpointWriterOptions options)
    : store_(std::move(store)),
      ranks_(std::move(ranks)),
      state_(std::move(state)),
      options_(std::move(options)) {
  require<UsageError>(options_.keep.newest >= 2, "checkpoint",
                      "{} checkpoints are to be kept, at least 2 are needed", options_.keep.newest);
  state_bytes_ = static_cast<std::uint64_t>(ranks_->all_reduce_value(
      static_cast<double>(bytes_on_disk(state_)), Reduce::kSum, "checkpoint size"));
  std::int64_t packed = 0;
  for (const StateFragment& fragment : state_.fragments) {
    if (!fragment.written) continue;
    offsets_.push_back(makes_copy() ? packed : fragment.offset);
    packed += fragment.region.elements();
  }
  if (!makes_copy()) return;
  staging_.resize(state_.arrays.size(), std::vector<float>(static_cast<std::size_t>(packed)));
}

CheckpointWriter::~CheckpointWriter() {
  if (running_.valid()) running_.wait();
}

void CheckpointWriter::save(const CheckpointInfo& info, std::vector<ExtraArray> extras) {
  const auto begin = Clock::now();
  wait();
  Job job{info, std::move(extras), {}, 0};
  if (makes_copy()) {
    copy_to_staging();
    job.arrays.assign(staging_.begin(), staging_.end());
  } else {
    for (const StateArray& array : state_.arrays) job.arrays.emplace_back(array.values);
  }
  if (options_.asynchronous) {
    job.copy_seconds = seconds_since(begin);
    running_ = std::async(std::launch::async, [this, moved = std::move(job)]() mutable {
      name_span_thread("checkpoint");
      return write(moved);
    });
    return;
  }
  reports_.push_back(write(job));
  reports_.back().copy_seconds = seconds_since(begin);
}

void CheckpointWriter::copy_to_staging() {
  const Span span({.kind = SpanKind::kIo,
                   .name = "copy for the checkpoint",
                   .bytes = static_cast<double>(staging_bytes())});
  for (std::size_t i = 0; i < staging_.size(); ++i) {
    std::span<float> to(staging_[i]);
    for (const StateFragment& fragment : state_.fragments) {
      if (!fragment.written) continue;
      const auto size = static_cast<std::size_t>(fragment.region.elements());
      const auto from =
          state_.arrays[i].values.subspan(static_cast<std::size_t>(fragment.offset), size);
      if (options_.device != nullptr) {
        to_host(*options_.device, from, to.first(size));
      } else {
        std::ranges::copy(from, to.begin());
      }
      to = to.subspan(size);
    }
  }
}

void CheckpointWriter::wait() {
  if (running_.valid()) reports_.push_back(running_.get());
}

std::vector<CheckpointReport> CheckpointWriter::take_reports() {
  const bool ended =
      running_.valid() && running_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  if (ended) wait();
  return std::exchange(reports_, {});
}

std::size_t CheckpointWriter::staging_bytes() const {
  std::size_t bytes = 0;
  for (const auto& array : staging_) bytes += array.size() * sizeof(float);
  return bytes;
}

std::uint64_t CheckpointWriter::disk_bytes(const std::vector<ExtraArray>& extras) const {
  return state_bytes_ + bytes_on_disk(extras);
}

void CheckpointWriter::run_stage(std::string_view stage, const std::function<void()>& work) const {
  const Span span({.kind = SpanKind::kIo, .name = stage});
  std::string error;
  bool is_of_disk = false;
  try {
    if (options_.may_write) options_.may_write();
    work();
    if (options_.on_stage) options_.on_stage(stage);
  } catch (const std::exception& caught) {
    error = caught.what();
    is_of_disk = dynamic_cast<const DiskError*>(&caught) != nullptr;
  }
  const std::string first = ranks_->first_of_all(error, "outcome of a checkpoint stage");
  if (first.empty()) return;
  throw FailedStage(first, ranks_->any(is_of_disk, "cause of a failed checkpoint"));
}

CheckpointReport CheckpointWriter::write(Job& job) const {
  const auto begin = Clock::now();
  const std::int64_t step = job.info.step;
  CheckpointReport report{
      .step = step, .path = store_.path_of(step), .copy_seconds = job.copy_seconds};
  try {
    write_stages(job, report);
  } catch (const std::exception& error) {
    const auto* stage = dynamic_cast<const FailedStage*>(&error);
    report.error = error.what();
    report.is_of_disk = stage != nullptr && stage->is_of_disk;
    if (ranks_->is_root()) abandon(step);
  }
  report.write_seconds = seconds_since(begin);
  return report;
}

void CheckpointWriter::write_stages(Job& job, CheckpointReport& report) const {
  const std::int64_t step = job.info.step;
  const std::filesystem::path partial = store_.partial_path_of(step);
  on_root("begin", [&] {
    store_.make();
    require_free_space(store_.directory(), disk_bytes(job.extras), "the checkpoint");
    store_.begin(step);
  });

  Manifest mine = describe(job.info);
  const std::string name = rank_file_name(ranks_->rank());
  run_stage("data", [&] { write_data(partial / name, job, mine); });
  run_stage("verified", [&] {
    verify_rank_file(partial / name, mine, 0);
    mine.files.front() = fingerprint(partial / name);
  });

  const auto texts = ranks_->gather(to_json_text(mine), 0, "fragments of a checkpoint");
  std::uint64_t manifest_checksum = 0;
  on_root("manifest", [&] {
    std::vector<Manifest> parts;
    for (const std::string& text : texts) {
      parts.push_back(parse_manifest(text, "fragments of a rank", Extent::kOneRank));
    }
    const std::string text = to_json_text(merge(std::move(parts)));
    for (const auto& file : parse_manifest(text, kManifestName).files) report.bytes += file.bytes;
    write_text_atomically(partial / kManifestName, text);
    manifest_checksum = checksum_of(std::span<const char>(text));
  });
  on_root("published", [&] { store_.publish(step); });
  on_root("complete", [&] { store_.mark_complete(step, manifest_checksum); });
  if (ranks_->is_root()) retain(step);
}

void CheckpointWriter::on_root(std::string_view stage, const std::function<void()>& work) const {
  run_stage(stage, [&] {
    if (ranks_->is_root()) work();
  });
}

Manifest CheckpointWriter::describe(const CheckpointInfo& info) const {
  Manifest manifest{.info = info, .tensors = state_.tensors};
  for (const StateArray& array : state_.arrays) {
    manifest.arrays.push_back(array.name);
    if (array.half) manifest.half_arrays.push_back(array.name);
  }
  manifest.files.push_back({rank_file_name(ranks_->rank())});
  for (const StateFragment& fragment : state_.fragments) {
    if (!fragment.written) continue;
    manifest.fragments.push_back(
        {fragment.tensor, fragment.region, 0, std::vector<std::uint64_t>(manifest.arrays.size())});
  }
  return manifest;
}

void CheckpointWriter::write_data(const std::filesystem::path& file, const Job& job,
                                  Manifest& manifest) const {
  const auto extras =
      ranks_->is_root() ? std::span<const ExtraArray>(job.extras) : std::span<const ExtraArray>();
  write_rank_file(file, manifest, offsets_, job.arrays, extras);
}

// What a writer that was replaced has left is cleaned up by those that come after it.
void CheckpointWriter::abandon(std::int64_t step) const {
  try {
    if (options_.may_write) options_.may_write();
    store_.abandon(step);
  } catch (const Error& error) {
    log::warning("checkpoint: {} stays: {}", store_.partial_path_of(step).string(), error.what());
  }
}

// The checkpoint is complete by now: failing to remove an old one is not failing to write it.
void CheckpointWriter::retain(std::int64_t step) const {
  try {
    store_.retain(options_.keep, step, options_.may_write);
  } catch (const std::exception& error) {  // of the standard library's file system, too
    log::warning("checkpoint: old ones stay: {}", error.what());
  }
}

void write_checkpoint(const CheckpointStore& store, const CheckpointState& state,
                      const CheckpointInfo& info, std::vector<ExtraArray> extras) {
  make_directories(store.directory());
  CheckpointWriter writer(
      store, make_self_communicator(), state,
      {.keep = {.newest = std::numeric_limits<int>::max()}, .asynchronous = false});
  writer.save(info, std::move(extras));
  const CheckpointReport report = writer.take_reports().front();
  require<DiskError>(report.ok() || !report.is_of_disk, "checkpoint", "{}: {}",
                     report.path.string(), report.error);
  require<SystemError>(report.ok(), "checkpoint", "{}: {}", report.path.string(), report.error);
}

}  // namespace edt
