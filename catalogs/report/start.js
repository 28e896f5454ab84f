followSections();
sortTables();
chooseShown();
chooseTheme();
browse();
openForPrint();
