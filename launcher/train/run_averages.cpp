#include "launcher/train/run_averages.h"

#include <limits>

#include "core/base/log.h"
#include "launcher/text/report.h"

namespace edt {

std::vector<StateArray> average_arrays(FlatState& state, bool half) {
  std::vector<StateArray> arrays;
  for (std::size_t i = 0; i < state.average_count(); ++i) {
    arrays.push_back({std::string(kAveragePrefix) + state.average_name(i), state.average(i), half});
  }
  return arrays;
}

RunAverages::RunAverages(const RunDirectory& directory, const TrainConfig& config,
                         const Model& model, TrainingEngine& engine, const Mesh& mesh,
                         std::vector<TensorPart> parts)
    : token_(directory.token()),
      store_(directory.averages(), token_.number()),
      every_(config.run.snapshot_steps()),
      last_(config.train.steps),
      engine_(engine),
      mesh_(mesh),
      writer_(std::make_unique<CheckpointWriter>(
          store_, mesh.world().split(0, mesh.world().rank(), "averages"),
          state_of(engine.layout(), model.parameters().shards(), engine.own_shard(),
                   average_arrays(engine.state(), config.run.half_snapshots), std::move(parts)),
          CheckpointWriterOptions{.keep = {.newest = std::numeric_limits<int>::max()},
                                  .asynchronous = !config.run.wait_for_checkpoint,
                                  .device = &engine.tape().device(),
                                  .may_write = [token = token_] { token.check(); },
                                  .on_stage = {}})) {}

void RunAverages::resumed(std::int64_t step) {
  if (!mesh_.world().is_root()) return;
  token_.check();
  store_.recover();
  const int removed = store_.remove_after(step, [this] { token_.check(); });
  if (removed > 0) {
    log::info("{} of averages after step {} removed: these steps are taken again",
              counted(static_cast<std::uint64_t>(removed), "snapshot"), step);
  }
  store_.clean_up();
}

ComingSnapshots RunAverages::coming() const {
  return {.each = writer_->disk_bytes({}), .every = every_, .after = engine_.step()};
}

void RunAverages::announce() {
  if (!mesh_.world().is_root()) return;
  const ComingSnapshots snapshots = coming();
  const std::uint64_t all = snapshots.bytes_until(last_);
  log::info("averages: {} to come in {}, {} each, {} in all",
            counted(snapshots.each > 0 ? all / snapshots.each : 0, "snapshot"),
            store_.directory().string(), human_bytes(static_cast<double>(snapshots.each)),
            human_bytes(static_cast<double>(all)));
}

bool RunAverages::is_due() const { return every_ > 0 && engine_.step() % every_ == 0; }

void RunAverages::save(const CheckpointInfo& info) { writer_->save(info, {}); }

void RunAverages::report() {
  for (const CheckpointReport& report : writer_->take_reports()) {
    last_error_ = report.error;
    if (report.ok() || !mesh_.world().is_root()) continue;  // all ranks have the same reports
    log::error("snapshot of averages of step {} failed, training goes on: {}", report.step,
               report.error);
  }
}

void RunAverages::finish() {
  writer_->wait();
  report();
  require<SystemError>(last_error_.empty(), "averages", "the last snapshot failed: {}",
                       last_error_);
}

}  // namespace edt
