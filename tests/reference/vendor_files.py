# SPDX-License-Identifier: BSD-3-Clause
# ruff: noqa: E501, ISC004  # lines of files are as long as they are, and stand below each other
"""Small files as vendors write them: (text, first date, number of bars, first close, volume).

Written from the vendors' documented layouts. Texts below that begin with a word instead of a date
are refusals: what the message must say.
"""

from __future__ import annotations

READ = {
    # The world's web sites
    "yahoo": (
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2024-01-02,187.15,188.44,183.89,185.64,184.94,82488700\n"
        "2024-01-03,184.22,185.88,183.43,184.25,183.55,58414500\n",
        "2024-01-02", 2, 185.64, 82488700,
    ),
    "yahoo copied from its page": (
        "Date\tOpen\tHigh\tLow\tClose\tAdj Close\tVolume\n"
        "Jan 3, 2024\t184.22\t185.88\t183.43\t184.25\t183.55\t58,414,500\n"
        "Jan 2, 2024\t187.15\t188.44\t183.89\t185.64\t184.94\t82,488,700\n",
        "2024-01-02", 2, 185.64, 82488700,
    ),
    "yfinance one ticker": (
        "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,\n"
        "2024-01-02,184.9,187.7,183.1,186.4,82488700\n2024-01-03,183.5,185.1,182.7,183.5,58414500\n",
        "2024-01-02", 2, 184.9, 82488700,
    ),
    "yfinance flattened": (
        "Date,Close_AAPL,High_AAPL,Low_AAPL,Open_AAPL,Volume_AAPL\n"
        "2024-01-02,184.9,187.7,183.1,186.4,82488700\n2024-01-03,183.5,185.1,182.7,183.5,58414500\n",
        "2024-01-02", 2, 184.9, 82488700,
    ),
    "yfinance as tuples": (
        "Date,\"('Close', 'AAPL')\",\"('High', 'AAPL')\",\"('Low', 'AAPL')\",\"('Open', 'AAPL')\"\n"
        "2024-01-02,184.9,187.7,183.1,186.4\n2024-01-03,183.5,185.1,182.7,183.5\n",
        "2024-01-02", 2, 184.9, None,
    ),
    "stooq": (
        "Date,Open,High,Low,Close,Volume\n2024-01-02,187.15,188.44,183.885,185.64,82488674\n",
        "2024-01-02", 1, 185.64, 82488674,
    ),
    "stooq in Polish": (
        "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen\n"
        "2024-01-02,187.15,188.44,183.885,185.64,82488674\n",
        "2024-01-02", 1, 185.64, 82488674,
    ),
    "stooq bulk": (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "AAPL.US,5,20240102,000500,187.15,188.44,183.885,185.64,1000,0\n"
        "AAPL.US,5,20240102,153000,187.15,188.44,183.885,185.70,1000,0\n",
        "2024-01-02 00:05", 2, 185.64, 1000,
    ),
    "nasdaq.com": (
        "Date,Close/Last,Volume,Open,High,Low\n"
        '01/03/2024,$184.25,"58,414,460",$184.22,$185.88,$183.43\n'
        '01/02/2024,$185.64,"82,488,670",$187.15,$188.44,$183.885\n',
        "2024-01-02", 2, 185.64, 82488670,
    ),
    "marketwatch": (
        "Date,Open,High,Low,Close,Volume\n"
        '01/03/2024,"4,725.07","4,729.29","4,699.71","4,704.81","2,110,100,000"\n'
        '01/02/2024,"4,745.20","4,754.33","4,722.67","4,742.83","2,060,230,000"\n',
        "2024-01-02", 2, 4742.83, 2060230000,
    ),
    "wall street journal": (
        "Date, Open, High, Low, Close, Volume\n"
        "01/04/24, 182.15, 183.0872, 180.88, 181.91, 71983570\n"
        "01/03/24, 184.22, 185.88, 183.43, 184.25, 58414460\n"
        "01/02/24, 187.15, 188.44, 183.885, 185.64, 82488670\n",
        "2024-01-02", 3, 185.64, 82488670,
    ),
    "google finance of old": (
        "\ufeffDate,Open,High,Low,Close,Volume\n3-Jan-24,184.22,185.88,183.43,184.25,58414460\n"
        "2-Jan-24,187.15,188.44,183.89,185.64,82488670\n",
        "2024-01-02", 2, 185.64, 82488670,
    ),
    "google sheets": (
        "Date,Open,High,Low,Close,Volume\n1/2/2024 16:00:00,187.15,188.44,183.89,185.64,82488674\n"
        "1/3/2024 16:00:00,184.22,185.88,183.43,184.25,58414460\n",
        "2024-01-02 16:00", 2, 185.64, 82488674,
    ),
    "investing.com": (
        '"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"01/03/2024","184.25","184.22","185.88","183.43","58.41M","-0.75%"\n'
        '"01/02/2024","185.64","187.15","188.44","183.89","1.08B","-3.58%"\n',
        "2024-01-02", 2, 185.64, 1.08e9,
    ),
    "investing.com without volume": (
        '"Date","Price","Open","High","Low","Vol.","Change %"\n'
        '"Jan 03, 2024","1.0922","1.0942","1.0966","1.0892","-","-0.19%"\n'
        '"Jan 02, 2024","1.0943","1.1046","1.1046","1.0937","-","-0.86%"\n',
        "2024-01-02", 2, 1.0943, None,
    ),
    "investing.com in German": (
        '"Datum","Zuletzt","Eröffn.","Hoch","Tief","Vol.","+/- %"\n'
        '"03.01.2024","16.538,39","16.730,60","16.763,86","16.448,60","64,78M","-1,38%"\n'
        '"02.01.2024","16.769,36","16.828,70","16.963,47","16.679,01","59,46M","0,11%"\n',
        "2024-01-02", 2, 16769.36, 59.46e6,
    ),
    "investing.com in French": (
        '"Date","Dernier","Ouv."," Plus Haut","Plus Bas","Vol.","Variation %"\n'
        '"15/01/2024","7.411,68","7.448,27","7.463,81","7.401,31","2,45M","-0,72%"\n'
        '"12/01/2024","7.465,14","7.436,37","7.496,41","7.429,55","3,02M","1,05%"\n',
        "2024-01-12", 2, 7465.14, 3.02e6,
    ),
    "investing.com in Spanish": (
        '"Fecha","Último","Apertura","Máximo","Mínimo","Vol.","% var."\n'
        '"15.01.2024","10.094,80","10.110,70","10.121,40","10.051,00","90,49K","-0,02%"\n',
        "2024-01-15", 1, 10094.80, 90490.0,
    ),
    "barchart": (
        "Symbol,Time,Open,High,Low,Last,Change,%Chg,Volume,\"Open Int\"\n"
        "ESH24,01/03/2024,4780.25,4783.25,4743.25,4748.25,-33.50,-0.70%,1532061,2187012\n"
        "ESH24,01/02/2024,4820.25,4828.50,4763.00,4781.75,-38.25,-0.79%,1612452,2196134\n"
        '"Downloaded from Barchart.com as of 01-05-2024 04:12am CST"\n',
        "2024-01-02", 2, 4781.75, 1612452,
    ),
    "macrotrends": (
        "Macrotrends Data Download\n\nAAPL - Historical Price and Volume Data\n"
        'Historical prices are adjusted for splits, dividends, and the like.\n'
        '"Disclaimer: no warranty, express or implied, is given"\n\n'
        "date,open,high,low,close,volume\n2024-01-02,187.15,188.44,183.885,185.64,82488700\n",
        "2024-01-02", 1, 185.64, 82488700,
    ),
    "coingecko": (
        "snapped_at,price,market_cap,total_volume\n"
        "2024-01-02 00:00:00 UTC,44172.58,865000000000,21000000000\n"
        "2024-01-03 00:00:00 UTC,44979.10,880000000000,34000000000\n",
        "2024-01-02 00:00+00:00", 2, 44172.58, 21000000000,
    ),
    "coinmarketcap": (
        "timeOpen;timeClose;timeHigh;timeLow;name;open;high;low;close;volume;marketCap;timestamp\n"
        '"2024-01-03T00:00:00.000Z";"2024-01-03T23:59:59.999Z";"2024-01-03T09:00:00.000Z";'
        '"2024-01-03T12:00:00.000Z";"2781";44961.6;45503.24;40813.53;42848.17;46342323118;'
        '839252446467;"2024-01-03T23:59:59.999Z"\n'
        '"2024-01-02T00:00:00.000Z";"2024-01-02T23:59:59.999Z";"2024-01-02T18:00:00.000Z";'
        '"2024-01-02T00:00:00.000Z";"2781";44187.14;45899.71;44176.95;44957.97;39335274536;'
        '880546497654;"2024-01-02T23:59:59.999Z"\n',
        "2024-01-02 00:00+00:00", 2, 44957.97, 39335274536,
    ),
    "ariva": (
        "Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen\n"
        "2024-01-03;168,00;169,50;167,44;168,36;82.488.674;1.388.781\n"
        "2024-01-02;171,20;171,78;166,92;168,96;58.414;987.161\n",
        "2024-01-02", 2, 168.96, 58414,
    ),
    "boursorama": (
        "date\touv\thaut\tbas\tclot\tvol\tdevise\t\n"
        "15/01/2024 00:00\t62,10\t62,45\t61,88\t62,33\t3251443\tEUR\t\n"
        "16/01/2024 00:00\t62,00\t62,20\t61,50\t61,74\t2891132\tEUR\t\n",
        "2024-01-15", 2, 62.33, 3251443,
    ),
    "euronext": (
        '"Historical Data"\n"From 2024-01-01 to 2024-01-16"\nNL0010273215\n'
        'Date;Open;High;Low;Last;Close;"Number of Shares";"Number of Trades";Turnover;vwap\n'
        "16/01/2024;667.4;672.5;663.1;669.7;669.7;561234;30123;375.8;669.6\n"
        "15/01/2024;664.1;668.3;661.9;665.0;665.0;401234;20123;266.8;665.1\n",
        "2024-01-15", 2, 665.0, 401234,
    ),
    "nse india": (
        '"Date ","series ","OPEN ","HIGH ","LOW ","PREV. CLOSE ","ltp ","close ","vwap ","VOLUME "\n'
        '"16-Jan-2024","EQ","2,780.00","2,792.90","2,711.00","2,788.40","2,722.00","2,720.35",'
        '"2,741.17","54,12,345"\n'
        '"15-Jan-2024","EQ","2,762.10","2,792.90","2,757.00","2,740.95","2,787.00","2,788.40",'
        '"2,778.43","61,23,456"\n',
        "2024-01-15", 2, 2788.40, 6123456,
    ),
    "tushare": (
        "ts_code,trade_date,open,high,low,close,pre_close,change,pct_chg,vol,amount\n"
        "600519.SH,20240103,1681.11,1695.22,1676.33,1694.0,1685.01,8.99,0.5335,20224.0,3411400.7\n"
        "600519.SH,20240102,1715.0,1718.19,1678.1,1685.01,1726.0,-40.99,-2.3749,32156.0,5440082.5\n",
        "2024-01-02", 2, 1685.01, 32156.0,
    ),
    "akshare": (
        "日期,开盘,收盘,最高,最低,成交量,成交额\n2024-01-02,1715.0,1685.01,1718.19,1678.1,32156,5440082505\n",
        "2024-01-02", 1, 1685.01, 32156,
    ),
    # Services for programs
    "alpha vantage": (
        "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient\n"
        "2024-01-03,184.22,185.88,183.43,184.25,183.7,58414460,0.0000,1.0\n"
        "2024-01-02,187.15,188.44,183.885,185.64,185.1,82488674,0.0000,1.0\n",
        "2024-01-02", 2, 185.64, 82488674,
    ),
    "alpha vantage json keys": (
        ",1. open,2. high,3. low,4. close,5. volume\n2024-01-02,187.15,188.44,183.885,185.64,82488674\n",
        "2024-01-02", 1, 185.64, 82488674,
    ),
    "tiingo": (
        "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor\n"
        "2024-01-02T00:00:00.000Z,185.64,188.44,183.885,187.15,82488674,184.9,187.7,183.1,186.4,"
        "82488674,0.0,1.0\n",
        "2024-01-02 00:00+00:00", 1, 185.64, 82488674,
    ),
    "polygon flat file": (
        "ticker,volume,open,close,high,low,window_start,transactions\n"
        "AAPL,4930,192.09,192.25,192.5,191.9,1704186000000000000,117\n"
        "AAPL,1815,192.2,192.35,192.4,192.2,1704186060000000000,57\n",
        "2024-01-02 09:00+00:00", 2, 192.25, 4930,
    ),
    "polygon aggregates": (
        "v,vw,o,c,h,l,t,n\n82488674,185.9465,187.15,185.64,188.44,183.885,1704171600000,1009074\n",
        "2024-01-02 05:00+00:00", 1, 185.64, 82488674,
    ),
    "alpaca": (
        "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\n"
        "AAPL,2024-01-02 05:00:00+00:00,187.15,188.44,183.885,185.64,82488674,1009074,185.9\n",
        "2024-01-02 05:00+00:00", 1, 185.64, 82488674,
    ),
    "eodhd": (
        "Date,Open,High,Low,Close,Adjusted_close,Volume\n"
        "2024-01-02,187.15,188.44,183.885,185.64,184.9,82488674\n",
        "2024-01-02", 1, 185.64, 82488674,
    ),
    "twelve data": (
        "datetime;open;high;low;close;volume\n2024-01-03;184.22;185.88;183.43;184.25;58414460\n"
        "2024-01-02;187.15;188.44;183.885;185.64;82488674\n",
        "2024-01-02", 2, 185.64, 82488674,
    ),
    "quandl wiki": (
        "Date,Open,High,Low,Close,Volume,Ex-Dividend,Split Ratio,Adj. Open,Adj. High,Adj. Low,"
        "Adj. Close,Adj. Volume\n2013-01-02,553.82,555.0,541.63,549.03,20018500.0,0.0,1.0,72.8,73.0,"
        "71.2,72.2,140129500.0\n",
        "2013-01-02", 1, 549.03, 20018500,
    ),
    "quandl futures": (
        "Date,Open,High,Low,Last,Change,Settle,Volume,Previous Day Open Interest\n"
        "2024-01-02,71.65,73.64,69.9,70.5,1.27,70.38,310000.0,290000.0\n",
        "2024-01-02", 1, 70.5, 310000,
    ),
    "sharadar": (
        "ticker,date,open,high,low,close,volume,closeadj,closeunadj,lastupdated\n"
        "AAPL,2024-01-02,187.15,188.44,183.885,185.64,82488674.0,184.9,185.64,2024-05-10\n",
        "2024-01-02", 1, 185.64, 82488674,
    ),
    "simfin": (
        "Ticker;SimFinId;Date;Open;Low;High;Close;Adj. Close;Dividend;Volume;Shares Outstanding\n"
        "AAPL;111052;2024-01-02;187.15;183.885;188.44;185.64;184.9;;82488674;15552752000\n",
        "2024-01-02", 1, 185.64, 82488674,
    ),
    "fred": (
        "DATE,SP500\n2024-01-01,.\n2024-01-02,4742.83\n2024-01-03,4704.81\n",
        "2024-01-02", 2, 4742.83, None,
    ),
    "fred today": (
        "observation_date,DEXUSEU\n2024-01-01,\n2024-01-02,1.0956\n",
        "2024-01-02", 1, 1.0956, None,
    ),
    "value": ("Date,Value\n2024-01-02,2067.9\n", "2024-01-02", 1, 2067.9, None),
    "crsp": (
        "PERMNO,date,TICKER,BIDLO,ASKHI,PRC,VOL,RET,OPENPRC\n"
        "14593,20240102,AAPL,183.885,188.44,185.64,82488674,-0.035787,187.15\n",
        "2024-01-02", 1, 185.64, 82488674,
    ),
    "compustat": (
        "gvkey,datadate,tic,cshtrd,prccd,prchd,prcld,prcod\n"
        "001690,2024-01-02,AAPL,82488674,185.64,188.44,183.885,187.15\n",
        "2024-01-02", 1, 185.64, 82488674,
    ),
    "bloomberg": (
        "Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME\n01/02/2024,187.15,188.44,183.89,185.64,82488674\n"
        "01/03/2024,184.22,185.88,183.43,184.25,58414460\n",
        "2024-01-02", 2, 185.64, 82488674,
    ),
    "refinitiv": (
        '"Instrument","Date","Price Open","Price High","Price Low","Price Close","Volume"\n'
        '"AAPL.O","2024-01-02T00:00:00Z","187.15","188.44","183.89","185.64","82488674"\n',
        "2024-01-02 00:00+00:00", 1, 185.64, 82488674,
    ),
    "quantmod": (
        '"Index","AAPL.Open","AAPL.High","AAPL.Low","AAPL.Close","AAPL.Volume","AAPL.Adjusted"\n'
        '"2024-01-02",187.15,188.44,183.89,185.64,82488700,184.94\n',
        "2024-01-02", 1, 185.64, 82488700,
    ),
    "R with row names": (
        '"Open" "High" "Low" "Close"\n"2024-01-02" 187.15 188.44 183.89 185.64\n',
        "2024-01-02", 1, 185.64, None,
    ),
    "finam": (
        "<TICKER>;<PER>;<DATE>;<TIME>;<OPEN>;<HIGH>;<LOW>;<CLOSE>;<VOL>\n"
        "GAZP;60;20240103;110000;159.9;160.5;159.8;160.31;1234560\n"
        "GAZP;60;20240103;120000;160.31;160.6;160.1;160.5;934560\n",
        "2024-01-03 11:00", 2, 160.31, 1234560,
    ),
    "moex": (
        "history\n\nBOARDID;TRADEDATE;SHORTNAME;SECID;NUMTRADES;VALUE;OPEN;LOW;HIGH;CLOSE;VOLUME\n"
        "TQBR;2024-01-03;Сбербанк;SBER;52321;5561200321.5;271.9;271;274.7;274.56;20354320\n\n",
        "2024-01-03", 1, 274.56, 20354320,
    ),
    # Trading programs
    "metatrader 4": (
        "2024.01.02,00:00,1.10427,1.10450,1.10400,1.10440,812\n"
        "2024.01.02,01:00,1.10440,1.10460,1.10410,1.10420,640\n",
        "2024-01-02 00:00", 2, 1.1044, 812,
    ),
    "metatrader 5": (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2024.01.02\t00:00:00\t1.10427\t1.10450\t1.10400\t1.10440\t812\t0\t10\n",
        "2024-01-02 00:00", 1, 1.1044, 812,
    ),
    "metastock": (
        "<TICKER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n"
        "EURUSD,20240102,000100,1.1039,1.1041,1.1038,1.1040,4\n",
        "2024-01-02 00:01", 1, 1.104, 4,
    ),
    "tradestation": (
        '"Date","Time","Open","High","Low","Close","Up","Down"\n'
        "01/02/2024,0931,187.15,187.50,187.10,187.30,5000,4000\n"
        "01/02/2024,0932,187.30,187.40,187.20,187.25,3000,4500\n",
        "2024-01-02 09:31", 2, 187.30, None,
    ),
    "multicharts": (
        "<Date>, <Time>, <Open>, <High>, <Low>, <Close>, <Volume>\n"
        "1/2/2024, 9:31:00 AM, 187.15, 187.50, 187.10, 187.30, 9000\n"
        "1/2/2024, 1:00:00 PM, 187.15, 187.50, 187.10, 187.40, 9000\n",
        "2024-01-02 09:31", 2, 187.30, 9000,
    ),
    "ninjatrader": (
        "20240102 093100;187.15;187.50;187.10;187.30;9000\n"
        "20240102 093200;187.30;187.40;187.20;187.25;7500\n",
        "2024-01-02 09:31", 2, 187.30, 9000,
    ),
    "ninjatrader daily": (
        "20240102;187.15;188.44;183.89;185.64;82488674\n20240103;184.22;185.88;183.43;184.25;58414460\n",
        "2024-01-02", 2, 185.64, 82488674,
    ),
    "sierra chart": (
        "Date, Time, Open, High, Low, Last, Volume, # of Trades, OHLC Avg, HLC Avg, Bid Volume\n"
        "2024/1/2, 09:30:00.000000, 4781.25, 4785.50, 4780.00, 4783.75, 12034, 4200, 4782, 4783, 6000\n",
        "2024-01-02 09:30", 1, 4783.75, 12034,
    ),
    "amibroker": (
        "AAPL,20240102,187.15,188.44,183.89,185.64,82488674\n"
        "AAPL,20240103,184.22,185.88,183.43,184.25,58414460\n",
        "2024-01-02", 2, 185.64, 82488674,
    ),
    "eoddata": (
        "AAPL,02-Jan-2024,187.15,188.44,183.89,185.64,82488674\n",
        "2024-01-02", 1, 185.64, 82488674,
    ),
    "interactive brokers": (
        "date,open,high,low,close,volume,average,barCount\n"
        "20240102 09:30:00 US/Eastern,187.15,188.44,183.89,185.64,82488,185.9,4000\n",
        "2024-01-02 09:30-05:00", 1, 185.64, 82488,
    ),
    "interactive brokers utc": (
        "date,open,high,low,close,volume\n20240102-14:30:00,187.15,188.44,183.89,185.64,82488\n",
        "2024-01-02 14:30", 1, 185.64, 82488,
    ),
    "tradingview": (
        "time,open,high,low,close,Volume,Volume MA\n1704205800,187.15,188.44,183.89,185.64,82488,1\n",
        "2024-01-02 14:30+00:00", 1, 185.64, 82488,
    ),
    "tradingview iso": (
        "time,open,high,low,close\n2024-01-02T09:30:00-05:00,187.15,188.44,183.89,185.64\n",
        "2024-01-02 09:30-05:00", 1, 185.64, None,
    ),
    # Collections
    "kibot": (
        "01/02/2024,09:30,187.15,187.50,187.10,187.30,9000\n01/02/2024,09:31,187.30,187.40,187.20,187.25,7500\n",
        "2024-01-02 09:30", 2, 187.30, 9000,
    ),
    "firstrate": (
        "2024-01-02 09:30:00,187.15,187.50,187.10,187.30,9000\n",
        "2024-01-02 09:30", 1, 187.30, 9000,
    ),
    "quantquote": (
        "20240102,930,187.15,187.50,187.10,187.30,9000,1,0,0\n"
        "20240102,1600,187.30,187.40,187.20,187.25,7500,1,0,0\n",
        "2024-01-02 09:30", 2, 187.30, 9000,
    ),
    "histdata": (
        "20240102 170000;1.104270;1.104290;1.104250;1.104290;0\n"
        "20240102 170100;1.104290;1.104310;1.104250;1.104280;0\n",
        "2024-01-02 17:00", 2, 1.10429, 0,
    ),
    "dukascopy": (
        "Gmt time,Open,High,Low,Close,Volume\n02.01.2024 00:00:00.000,1.10427,1.10450,1.10400,1.10440,812.5\n",
        "2024-01-02", 1, 1.1044, 812.5,
    ),
    "dukascopy local": (
        "Local time,Open,High,Low,Close,Volume\n"
        "30.03.2024 00:00:00.000 GMT+0100,1.10427,1.10450,1.10400,1.10440,812.5\n"
        "31.03.2024 12:00:00.000 GMT+0200,1.10427,1.10450,1.10400,1.10450,812.5\n",
        "2024-03-29 23:00+00:00", 2, 1.1044, 812.5,
    ),
    "fxcm": (
        "DateTime,BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose\n"
        "01/02/2024 22:00:00.000,1.1042,1.1045,1.1040,1.1044,1.1043,1.1046,1.1041,1.1045\n",
        "2024-01-02 22:00", 1, 1.1044, None,
    ),
    "oanda": (
        "time,complete,volume,mid.o,mid.h,mid.l,mid.c\n"
        "2024-01-02T22:00:00.000000000Z,True,812,1.1042,1.1045,1.1040,1.1044\n",
        "2024-01-02 22:00+00:00", 1, 1.1044, 812,
    ),
    # Crypto
    "binance": (
        "1704067200000,42283.58,42554.57,42261.02,42475.23,1271.68,1704070799999,5.4e7,471,682.5,2.9e7,0\n"
        "1704070800000,42475.23,42775.00,42431.65,42613.56,1196.37,1704074399999,5.1e7,441,629.6,2.7e7,0\n",
        "2024-01-01 00:00+00:00", 2, 42475.23, 1271.68,
    ),
    "binance in microseconds": (
        "1735689600000000,93576.00,94509.42,92888.00,94401.14,10373.32,1735775999999999,9.8e8,1,5,4e8,0\n",
        "2025-01-01 00:00+00:00", 1, 94401.14, 10373.32,
    ),
    "kraken": (
        "1704067200,42280.4,42550.0,42262.1,42477.0,71.2,1320\n"
        "1704070800,42477.0,42780.0,42430.0,42612.9,65.1,1211\n",
        "2024-01-01 00:00+00:00", 2, 42477.0, 71.2,
    ),
    "kraken with vwap": (
        "1704067200,42280.4,42550.0,42262.1,42477.0,42400.0,71.2,1320\n"
        "1704070800,42477.0,42780.0,42430.0,42612.9,42601.5,65.1,1211\n",
        "2024-01-01 00:00+00:00", 2, 42477.0, 71.2,
    ),
    "coinbase": (
        "1704070800,42430.0,42780.0,42477.0,42612.9,65.1\n1704067200,42262.1,42550.0,42280.4,42477.0,71.2\n",
        "2024-01-01 00:00+00:00", 2, 42477.0, 71.2,
    ),
    "coinbase with header": (
        "time,low,high,open,close,volume\n1704067200,42262.1,42550.0,42280.4,42477.0,71.2\n",
        "2024-01-01 00:00+00:00", 1, 42477.0, 71.2,
    ),
    "bitfinex": (
        "1704067200000,42280.4,42477.0,42550.0,42262.1,71.2\n"
        "1704070800000,42477.0,42612.9,42780.0,42430.0,65.1\n",
        "2024-01-01 00:00+00:00", 2, 42477.0, 71.2,
    ),
    "bitstamp": (
        "timestamp,open,high,low,close,volume\n1704067200,42280.4,42550.0,42262.1,42477.0,71.2\n",
        "2024-01-01 00:00+00:00", 1, 42477.0, 71.2,
    ),
    "bitstamp of kaggle": (
        "Timestamp,Open,High,Low,Close,Volume_(BTC),Volume_(Currency),Weighted_Price\n"
        "1704067200,42280.4,42550.0,42262.1,42477.0,71.2,3020000.1,42400.0\n"
        "1704067260,NaN,NaN,NaN,NaN,NaN,NaN,NaN\n",
        "2024-01-01 00:00+00:00", 1, 42477.0, 71.2,
    ),
    "cryptodatadownload": (
        "https://www.CryptoDataDownload.com\n"
        "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT\n"
        "1704070800000,2024-01-01 01:00:00,BTCUSDT,42475.23,42775.00,42431.65,42613.56,1196.37,5.1e7\n"
        "1704067200000,2024-01-01 00:00:00,BTCUSDT,42283.58,42554.57,42261.02,42475.23,1271.68,5.4e7\n",
        "2024-01-01 00:00", 2, 42475.23, 1271.68,
    ),
    "gemini": (
        "https://www.CryptoDataDownload.com\nUnix Timestamp,Date,Symbol,Open,High,Low,Close,Volume\n"
        "1704067200000,2024-01-01 00:00:00,BTCUSD,42283.58,42554.57,42261.02,42475.23,12.7\n",
        "2024-01-01 00:00", 1, 42475.23, 12.7,
    ),
    "cryptocompare": (
        "time,high,low,open,volumefrom,volumeto,close,conversionType\n"
        "1704067200,42554.57,42261.02,42283.58,1271.68,54000000,42475.23,direct\n",
        "2024-01-01 00:00+00:00", 1, 42475.23, 1271.68,
    ),
    "hitbtc": (
        "timestamp,open,close,min,max,volume,volumeQuote\n"
        "2024-01-01T00:00:00.000Z,42283.58,42475.23,42261.02,42554.57,127.1,5400000\n",
        "2024-01-01 00:00+00:00", 1, 42475.23, 127.1,
    ),
    "coinapi": (
        "time_period_start;time_period_end;time_open;time_close;px_open;px_high;px_low;px_close;sx_sum\n"
        "2024-01-01T00:00:00.0000000Z;2024-01-01T01:00:00.0000000Z;2024-01-01T00:00:00.0090000Z;"
        "2024-01-01T00:59:59.9110000Z;42283.58;42554.57;42261.02;42475.23;127.1\n",
        "2024-01-01 00:00+00:00", 1, 42475.23, None,
    ),
    "okx": (
        "ts,o,h,l,c,vol,volCcy,volCcyQuote,confirm\n"
        "1704067200000,42283.58,42554.57,42261.02,42475.23,127.1,1.2,54000,1\n",
        "2024-01-01 00:00+00:00", 1, 42475.23, 127.1,
    ),
    "ccxt": (
        ",timestamp,open,high,low,close,volume\n0,1704067200000,42283.58,42554.57,42261.02,42475.23,127.1\n"
        "1,1704070800000,42475.23,42775.00,42431.65,42613.56,119.6\n",
        "2024-01-01 00:00+00:00", 2, 42475.23, 127.1,
    ),
    # By hand and by spreadsheet
    "spreadsheet days": (
        "Date,Close\n45293,185.64\n45294,184.25\n", "2024-01-02", 2, 185.64, None,
    ),
    "spreadsheet days with times": (
        "Date,Close\n45293.3958333333,185.64\n45293.3965277778,184.25\n",
        "2024-01-02 09:30", 2, 185.64, None,
    ),
    "year, month and day": (
        "Year,Month,Day,Open,High,Low,Close\n2024,1,2,187.15,188.44,183.89,185.64\n",
        "2024-01-02", 1, 185.64, None,
    ),
    "rows of a frame counted": (
        ",Day,Open,High,Low,Close\n0,2024-01-02,187.15,188.44,183.89,185.64\n",
        "2024-01-02", 1, 185.64, None,
    ),
    "units in the header": (
        "Date,Open (USD),High (USD),Low (USD),Close (USD)\n2024-01-02,187.15,188.44,183.89,185.64\n",
        "2024-01-02", 1, 185.64, None,
    ),
    "German by spreadsheet": (
        "Datum;Eröffnung;Hoch;Tief;Schluss;Volumen\r\n02.01.24;185;186,5;184;185,64;1 234 567\r\n"
        "03.01.24;184;185,5;183;184,25;987 654\r\n",
        "2024-01-02", 2, 185.64, 1234567,
    ),
    "Swiss": (
        "Datum;Open;High;Low;Close\n02.01.2024;11'100.5;11'200.0;11'050.2;11'185.64\n",
        "2024-01-02", 1, 11185.64, None,
    ),
    "quarters": ("Date,Close\n2024Q1,185.64\n2024Q2,184.25\n", "2024-01-01", 2, 185.64, None),
    "months": ("Date,Close\nJan-24,185.64\nFeb-24,184.25\n", "2024-01-01", 2, 185.64, None),
    "half past midnight": (
        "Date,Time,Close\n2024-01-02,12:30 AM,185.64\n2024-01-02,12:30 PM,184.25\n",
        "2024-01-02 00:30", 2, 185.64, None,
    ),
    "milliseconds without marks": (
        "Date;Close\n20240102 093000123;1.5\n20240102 093000456;1.6\n",
        "2024-01-02 09:30:00.123", 2, 1.5, None,
    ),
    "the end of the day": (
        "Date,Time,Close\n2024-01-02,23:00,185.64\n2024-01-02,24:00,184.25\n",
        "2024-01-02 23:00", 2, 185.64, None,
    ),
    "a date of any name beside Time": (
        "Sitzung,Time,Close\n2024-01-02,931,185.64\n2024-01-02,1600,184.25\n",
        "2024-01-02 09:31", 2, 185.64, None,
    ),
    "blanks between columns": (
        "Date        Time   Open   High   Low    Close\n2024-01-02  09:30  187.15 188.44 183.89 185.64\n",
        "2024-01-02 09:30", 1, 185.64, None,
    ),
}  # fmt: skip

REFUSED = {
    "one reading in January, one in the months": (
        "Date,Close\n02/01/2024,1\n03/01/2024,2\n04/01/2024,3\n", "mean one thing only.*dayfirst=True",
    ),
    "two orders in one column": (
        "Date,Close\n13/01/2024,1\n01/14/2024,2\n", "13/01/2024 .row 1. beside 01/14/2024 .row 2.",
    ),
    "two formats in one column": (
        "Date,Close\n2024-01-02,1\n03/01/2024,2\n", "in one format.*2024-01-02 .row 1. beside",
    ),
    "years of two and four digits": ("Date,Close\n1/2/24,1\n1/3/2024,2\n", "in one format"),
    "milliseconds, then microseconds": (
        "time,close\n1735603200000,1\n1735689600000000,2\n", "in one format.*row 1. beside",
    ),
    "decimal comma and decimal dot": (
        "Date;Open;Close\n2024-01-02;185,64;185.64\n", "same decimal mark, got \"?.*185.64.*185,64",
    ),
    "a comma that could be either": (
        'Date,Close\n2024-01-02,"1,234"\n2024-01-03,"1,240"\n', "decimal one.*Pass decimal='.'",
    ),
    "commas without quotes": (
        "Date,Open,High,Low,Close\n02.01.2024,185,10,186,00,184,00,185,64\n", "5 cells in every row",
    ),
    "months or days of 2020": ("Date,Close\n200102,1\n200103,2\n", "mean one thing only"),
    "iso weeks": ("Date,Close\n2024-W01,1\n2024-W02,2\n", "Weeks must be written as dates, and quarters"),
    "numbers of rows": ("Date,Close\n1,1\n2,2\n", "readable dates in column 'Date'"),
    "a named zone": ("Date,Close\n2024-01-02 09:30 EST,1\n", "pass tz="),
    "times alone": ("Time,Close\n09:30,1\n09:31,2\n", "column of dates beside the times of day"),
    "an epoch rounded by a spreadsheet": ("Date,Close\n1.70407E+12,1\n1.70415E+12,2\n", "readable dates"),
    "ticks of .NET": ("time,close\n638396640000000000,1\n638397504000000000,2\n", "readable dates"),
    "a far future": ("Date,Close\n2610-01-02,1\n", "readable dates"),
    "a month of 13": ("Date,Close\n2024-13-01,1\n2024-01-02,1\n", "got '2024-13-01 .row 1.'"),
    "quotes and trades": ("20240102 093000123,1.1042,1.1043,0\n20240102 093000456,1.1,1.2,0\n", "have a header, or"),
    "a page of a web site": ("<!DOCTYPE html><html><body>Too many requests</body></html>", "web page"),
    "an answer in JSON": ('{"Information": "rate limit"}', "not JSON"),
    "closes of several symbols side by side": (
        "Date,AAPL,MSFT\n2024-01-02,185.64,370.87\n", "column 'close'.*Name its columns",
    ),
    "two currencies": (
        "timestamp,open (CNY),high (CNY),low (CNY),close (CNY),close (USD)\n2024-01-02,1,2,0.5,1.5,1\n",
        "one column for 'close'",
    ),
    "a column twice": ("Date,Close,Close\n2024-01-02,1,2\n", "one column 'Close'"),
    "a last row cut off": (
        "Date,Open,High,Low,Close\n2024-01-02,1,2,0.5,1.5\n2024-01-03,1,2,0.", "5 cells in every row, got 4",
    ),
    "a long table with a column of any name": (
        "Date,Firma A,Close\n2024-01-02,X,1\n2024-01-02,Y,5\n2024-01-03,X,1\n2024-01-03,Y,5\n",
        "long table of several symbols: symbol_column='Firma A'",
    ),
    "high and low exchanged": (
        "Date,Open,High,Low,Close\n2024-01-02,1,0.5,2,1.5\n2024-01-03,1,0.5,2,1.4\n",
        "columns look swapped. Type: columns={'High': 'low', 'Low': 'high'}",
    ),
    "an adjusted close beside prices as traded": (
        "Date,Open,High,Low,Close\n2024-01-02,100,102,99,50\n2024-01-03,101,103,100,51\n",
        "the close looks adjusted",
    ),
    "a header alone": ("Date,Open,High,Low,Close\n", "at least one bar"),
    "nothing": ("", "an empty file"),
    "null bytes": ("Date,Close\n2024-01-02,1\0\n", "be a text file"),
}  # fmt: skip
