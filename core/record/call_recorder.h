// Records what a step calls: the backend, communicators and optimizer of a recorded run
// (recorded_backend.h, parallel/record) report here.
//
// Calls of kernels come from the thread that trains, collectives from theirs too.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/autograd/parameter.h"
#include "core/base/span.h"
#include "core/record/record.h"
#include "core/record/step_file.h"

namespace edt {

// A part of a tensor that a rank answers for, and where it lies in a flat array of it.
struct OwnPiece {
  std::string tensor;
  Shape shape;
  std::int64_t begin = 0, end = 0;  // elements of the tensor
  std::int64_t offset = 0;          // of the first of them, in the array
};

class CallRecorder final : public SpanListener {
 public:
  struct Plan {
    RecordedSteps steps;
    std::filesystem::path directory;
    std::string values;  // empty: none; "all", or the place of a call (place_of())
  };
  // `header`: all of it but the step.
  CallRecorder(Plan plan, RecordHeader header);
  ~CallRecorder() override;
  CallRecorder(const CallRecorder&) = delete;
  CallRecorder& operator=(const CallRecorder&) = delete;

  // Those whose names calls are recorded under. Their memory may come and go.
  void know(std::vector<const Parameter*> parameters) { parameters_ = std::move(parameters); }
  // What this rank answers for of the gradient, where its parts lie one after the other.
  void own(std::vector<OwnPiece> pieces) { pieces_ = std::move(pieces); }
  const std::vector<OwnPiece>& pieces() const { return pieces_; }

  void step_begins(std::int64_t step);
  // No collective is under way; later ones belong to the next step: the gathers of new weights,
  // which may take until they are read.
  void update_begins();
  // Writes what was recorded of the step.
  void step_ends();

  void micro_batch_begins(std::int64_t index);
  void micro_batch_ends() { micro_batch_ = -1; }
  bool records_step() const { return current_.has_value(); }
  bool records_kernels() const { return micro_batch_ >= 0; }

  // A call begins, then its tensors are seen, then it is finished.
  RecordedCall begin_kernel(std::string_view name, std::string_view of);
  // Nothing where no step is recorded.
  std::optional<RecordedCall> begin_collective(std::string_view group, std::string_view name,
                                               std::string_view of);
  RecordedCall begin(CallKind kind, std::string_view of);
  // `bytes`, in host memory: of the elements from tensor.begin on. Completes `tensor`.
  void see(const RecordedCall& call, RecordedTensor tensor, std::span<const std::byte> bytes,
           std::vector<RecordedTensor>& among);
  void finish(RecordedCall call);

  // The parameter whose value lies there, or whose gradient is being written there; nullptr: none.
  const Parameter* parameter_at(const void* value) const;
  const Parameter* gradient_at(const void* value) const;
  // Elements of the packed parts of the gradient that were seen in this step.
  std::int64_t& gradient_seen() { return gradient_seen_; }

  void begin(const SpanInfo& span) override;
  void end(SpanKind kind) override;
  void phase(std::string_view) override {}

 private:
  struct OpenStep {
    std::int64_t step = 0;                 // 0: not yet known, the first of this start
    std::unique_ptr<StepFileWriter> file;  // null likewise
    std::vector<RecordedCall> calls;
    std::map<std::string, std::int64_t, std::less<>> counts;
  };
  OpenStep open(std::int64_t step) const;
  OpenStep* step_of(const RecordedCall& call);
  void count(RecordedCall& call, OpenStep& step);

  Plan plan_;
  RecordHeader header_;
  std::vector<const Parameter*> parameters_;
  std::vector<OwnPiece> pieces_;
  std::thread::id computing_;
  std::int64_t micro_batch_ = -1, gradient_seen_ = 0;
  bool again_ = false;

  std::mutex mutex_;  // of what follows, but that the thread that trains alone changes the steps
  std::optional<OpenStep> current_, next_;
  bool updating_ = true;  // collectives belong to next_
};

}  // namespace edt
