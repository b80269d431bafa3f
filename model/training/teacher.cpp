#include "model/training/teacher.h"

#include "model/weights.h"

namespace edt {

std::vector<Parameter*> Teacher::copies() { return parameter_pointers(model_->parameters()); }

void Teacher::attach(Tape& student, ParameterOwner& average) {
  EDT_ASSERT(!tape_);
  attach(student);
  tape_->set_parameter_owner(&average);
}

void Teacher::attach(Tape& student) {
  if (tape_) return;
  tape_.emplace(student.device(), student.arena(), student.profiler(), student.dtype());
}

Var Teacher::look(const ModelInputs& inputs, Taps& taps, std::span<const VisibleTokens> groups) {
  const Tape::NoGrad inference(*tape_);
  ModelInputs seen = inputs;
  seen.hooks.taps = &taps;
  if (groups.empty()) return model_->forward(*tape_, seen);
  (void)model_->forward_groups(*tape_, seen, groups);
  return {};
}

Var Teacher::accurate(const Var& value) {
  if (value.dtype() == tape_->accurate_dtype()) return value;
  const Var copy = tape_->make(value.shape(), tape_->accurate_dtype());
  Profiler::Scope scope(tape_->profiler(), "teacher.target");
  tape_->device().copy(value.tensor(), copy.tensor());
  return copy;
}

}  // namespace edt
