#include "core/record/call_recorder.h"

#include <utility>

#include "core/record/content_hash.h"

namespace edt {
namespace {

bool lies_in(const Tensor& tensor, const void* place) {
  const auto* const begin = static_cast<const std::byte*>(tensor.data);
  return begin != nullptr && begin <= place && place < begin + tensor.bytes();
}

}  // namespace

// Collectives before the first step gather the weights that it begins with.
CallRecorder::CallRecorder(Plan plan, RecordHeader header)
    : plan_(std::move(plan)), header_(std::move(header)), next_(OpenStep{}) {}

CallRecorder::~CallRecorder() { remove_span_listener(*this); }

CallRecorder::OpenStep CallRecorder::open(std::int64_t step) const {
  RecordHeader header = header_;
  header.step = step;
  return {.step = step,
          .file = std::make_unique<StepFileWriter>(plan_.directory, std::move(header))};
}

void CallRecorder::step_begins(std::int64_t step) {
  const std::lock_guard lock(mutex_);
  computing_ = std::this_thread::get_id();
  updating_ = false;
  gradient_seen_ = 0;
  std::optional<OpenStep> ahead = std::exchange(next_, std::nullopt);
  current_.reset();
  if (!plan_.steps.contains(step)) return;
  if (ahead && ahead->file && ahead->step == step) {
    current_ = std::move(*ahead);
  } else {
    current_ = open(step);
    // Of a step that was to be another one, after which the run went back, nothing counts.
    if (ahead && ahead->step == 0) {
      current_->calls = std::move(ahead->calls);
      current_->counts = std::move(ahead->counts);
    }
  }
  add_span_listener(*this);
}

void CallRecorder::update_begins() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(updating_, true)) return;
  next_.reset();
  if (!current_) return;
  if (plan_.steps.contains(current_->step + 1)) next_ = open(current_->step + 1);
}

void CallRecorder::step_ends() {
  update_begins();  // where nothing was updated
  const std::lock_guard lock(mutex_);
  if (!current_) return;
  remove_span_listener(*this);
  const OpenStep ended = std::move(*current_);
  current_.reset();
  ended.file->finish(ended.calls);
}

void CallRecorder::micro_batch_begins(std::int64_t index) {
  if (!current_) return;
  micro_batch_ = index;
  again_ = false;
}

CallRecorder::OpenStep* CallRecorder::step_of(const RecordedCall& call) {
  std::optional<OpenStep>& step =
      call.kind == CallKind::kCollective && updating_ ? next_ : current_;
  return step ? &*step : nullptr;
}

void CallRecorder::count(RecordedCall& call, OpenStep& step) {
  call.count = 0;
  call.count = step.counts[place_of(call, 0)]++;
}

RecordedCall CallRecorder::begin_kernel(std::string_view name, std::string_view of) {
  RecordedCall call{.kind = CallKind::kKernel,
                    .micro_batch = micro_batch_,
                    .name = std::string(name),
                    .of = std::string(of),
                    .again = again_};
  const std::lock_guard lock(mutex_);
  count(call, *current_);
  return call;
}

std::optional<RecordedCall> CallRecorder::begin_collective(std::string_view group,
                                                           std::string_view name,
                                                           std::string_view of) {
  RecordedCall call{.kind = CallKind::kCollective,
                    .name = std::string(name),
                    .of = std::string(of),
                    .group = std::string(group)};
  const std::lock_guard lock(mutex_);
  OpenStep* const step = step_of(call);
  if (step == nullptr) return std::nullopt;
  count(call, *step);
  return call;
}

RecordedCall CallRecorder::begin(CallKind kind, std::string_view of) {
  return {.kind = kind, .micro_batch = micro_batch_, .of = std::string(of)};
}

void CallRecorder::see(const RecordedCall& call, RecordedTensor tensor,
                       std::span<const std::byte> bytes, std::vector<RecordedTensor>& among) {
  const auto first = static_cast<std::uint64_t>(tensor.begin) * size_of(tensor.dtype);
  tensor.end = tensor.begin + static_cast<std::int64_t>(bytes.size() / size_of(tensor.dtype));
  tensor.hash = content_hash(bytes, first);
  const std::lock_guard lock(mutex_);
  if (OpenStep* const step = step_of(call); step != nullptr && step->file) {
    const bool kept = plan_.values == "all" || plan_.values == place_of(call, step->step);
    if (kept) tensor.at = step->file->keep_values(bytes);
  }
  among.push_back(std::move(tensor));
}

void CallRecorder::finish(RecordedCall call) {
  const std::lock_guard lock(mutex_);
  if (OpenStep* const step = step_of(call)) step->calls.push_back(std::move(call));
}

const Parameter* CallRecorder::parameter_at(const void* value) const {
  for (const Parameter* one : parameters_) {
    if (lies_in(one->value, value)) return one;
  }
  return nullptr;
}

// Several may have had their gradients there: the memory is used again once they are final, and
// those of the next micro-batch have none until they are written.
const Parameter* CallRecorder::gradient_at(const void* value) const {
  for (const Parameter* one : parameters_) {
    const bool is_being_written = one->grad_written && one->pending_uses > 0;
    if (is_being_written && lies_in(one->grad, value)) return one;
  }
  return nullptr;
}

void CallRecorder::begin(const SpanInfo& span) {
  if (span.kind != SpanKind::kCompute || std::this_thread::get_id() != computing_) return;
  again_ = span.label == "again";
}

void CallRecorder::end(SpanKind kind) {
  if (kind == SpanKind::kCompute && std::this_thread::get_id() == computing_) again_ = false;
}

}  // namespace edt
