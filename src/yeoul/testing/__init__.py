"""For the tests of other people: `plugin` is the pytest plug-in that comes with the package."""
