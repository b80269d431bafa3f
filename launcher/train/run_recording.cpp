#include "launcher/train/run_recording.h"

#include <omp.h>

#include "core/record/recorded_backend.h"
#include "core/record/recorded_optimizer.h"
#include "core/storage/durable_file.h"
#include "launcher/version.h"
#include "parallel/record/recorded_communicator.h"

namespace edt {
namespace {

RecordHeader header_of(const RunIdentity& identity, const Backend& backend, const Mesh& mesh) {
  return {.rank = mesh.world().rank(),
          .ranks = mesh.world().size(),
          .tensor_ranks = mesh.tensor().size(),
          .device = std::string(backend.name()),
          .threads = omp_get_max_threads(),
          .version = version_text(),
          .configuration = identity.configuration,
          .data = identity.data};
}

// This rank's parts one after the other, as gradients come.
FlatShard packed(const FlatShard& shard) {
  FlatShard result = shard;
  std::int64_t offset = 0;
  for (FlatShard::Part& part : result.parts) {
    part.offset = offset;
    offset += part.range.elements();
  }
  return result;
}

std::vector<OwnPiece> pieces_of(const FlatLayout& layout, const FlatShard& shard) {
  std::vector<OwnPiece> pieces;
  for (const FlatFragment& fragment : layout.fragments(shard)) {
    const FlatTensor& tensor = layout.tensor(fragment.tensor);
    pieces.push_back({tensor.name, tensor.shape, fragment.begin, fragment.end, fragment.offset});
  }
  return pieces;
}

// "17, 3 flipped, 42"
std::string numbers_of(std::span<const data::SampleRef> samples) {
  std::string text;
  for (const data::SampleRef& sample : samples) {
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", sample.index,
                        sample.flipped ? " flipped" : "");
  }
  return text;
}

}  // namespace

RunRecording::RunRecording(const RunOptions& run, const RunIdentity& identity, Backend& backend,
                           Mesh& mesh)
    : device_(backend),
      directory_(record_directory(run.directory)),
      recorder_({.steps = parse_recorded_steps(run.record_steps, "run.record-steps"),
                 .directory = directory_,
                 .values = run.record_values},
                header_of(identity, backend, mesh)),
      backend_(make_recorded_backend(backend, recorder_)),
      data_ranks_(make_recorded_communicator(
          mesh.data().split(0, mesh.data().rank(), "data, recorded"), recorder_)) {}

std::unique_ptr<Communicator> RunRecording::activations(std::unique_ptr<Communicator> ranks) {
  return make_recorded_communicator(std::move(ranks), recorder_, RecordedWhen::kInMicroBatches);
}

void RunRecording::begin(Training& training) {
  make_directories(directory_);
  std::vector<const Parameter*> parameters;
  for (const Parameter& one : training.model().parameters().all()) parameters.push_back(&one);
  recorder_.know(std::move(parameters));
  const TrainingEngine& engine = training.engine();
  recorder_.own(pieces_of(engine.layout(), packed(engine.own_shard())));
  weights_ = pieces_of(engine.layout(), engine.own_shard());
}

void RunRecording::micro_batch_begins(std::int64_t index, const data::Batch& batch) {
  recorder_.micro_batch_begins(index);
  if (!recorder_.records_kernels()) return;
  RecordedCall call = recorder_.begin(CallKind::kSamples, "");
  call.detail = numbers_of(batch.samples);
  std::int64_t place = 0;
  const auto see = [&](const auto& values, DType dtype) {
    const auto size = static_cast<std::int64_t>(values.size());
    recorder_.see(call, {.place = place++, .shape = {size}, .dtype = dtype},
                  std::as_bytes(std::span(values)), call.out);
  };
  see(batch.latents, DType::kFloat32);
  see(batch.labels, DType::kInt32);
  for (const std::vector<float>& array : batch.arrays) see(array, DType::kFloat32);
  recorder_.finish(std::move(call));
}

void RunRecording::phase(std::string_view name) {
  if (name == "optimizer") recorder_.update_begins();
}

void RunRecording::step_ends(TrainingEngine& engine) {
  if (recorder_.records_step()) {
    record_pieces(recorder_, CallKind::kWeights, weights_, device_, engine.state().master(), 0);
  }
  recorder_.step_ends();
}

}  // namespace edt
