# threat: G68
# expect: double=raised
# words: test_double: No module named 'tensorflow'
# both ways
import tensorflow as tf


def double(x):
    return tf.multiply(x, 2)
