// The message of an error that is expected.
#pragma once

#include <string>

namespace edt::test {

// What `action` throws, as text; "" when it throws nothing.
template <class E, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

}  // namespace edt::test
