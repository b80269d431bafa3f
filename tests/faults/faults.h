// What the faults of this program ask of the calls that it stands around (faulty_calls.cpp).
#pragma once

#include <string_view>

namespace edt::test {

// Whether any call is to go wrong.
bool has_faulty_calls();
// Whether this is the call of `name` that is to go wrong.
bool call_goes_wrong(std::string_view name);

}  // namespace edt::test
