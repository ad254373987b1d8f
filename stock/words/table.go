package words

import (
	"google.golang.org/grpc/codes"

	"holdfast.dev/stock"
)

// refusals is the one table that says what each code means to a gRPC client, to
// an HTTP client and to a person. A state that forbids the step is a conflict
// (409), so that a client tells it from a malformed request (400). Every value
// is optional, because a refusal may come from a peer that does not send it.
var refusals = map[stock.Code]row{
	stock.BadRequest: {codes.InvalidArgument, 400, map[Lang]string{
		EN: "Something here is missing or not right[: {what}]. Check it and try again.",
		NL: "Hier ontbreekt iets of klopt iets niet[: {what}]. Kijk het na en probeer het " +
			"opnieuw.",
		DA: "Her mangler noget, eller noget passer ikke[: {what}]. Tjek det, og prøv igen.",
		DE: "Hier fehlt etwas oder passt etwas nicht[: {what}]. Bitte prüfen und noch einmal " +
			"versuchen.",
	}},
	stock.BadUnits: {codes.InvalidArgument, 400, map[Lang]string{
		EN: "This quantity is not possible. Enter another one.",
		NL: "Dit aantal kan niet. Voer een ander aantal in.",
		DA: "Dette antal går ikke. Indtast et andet.",
		DE: "Diese Menge ist nicht möglich. Bitte eine andere eingeben.",
	}},
	stock.BadAccount: {codes.InvalidArgument, 400, map[Lang]string{
		EN: "Stock cannot move that way. Choose where it comes from and where it goes.",
		NL: "Zo kan voorraad niet verplaatst worden. Kies waar het vandaan komt en waar het " +
			"heen gaat.",
		DA: "Varer kan ikke flyttes sådan. Vælg, hvor de kommer fra, og hvor de skal hen.",
		DE: "So lässt sich Ware nicht umbuchen. Bitte wählen, woher sie kommt und wohin sie " +
			"geht.",
	}},
	stock.Short: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "[{available|None left|Only one left|Only # left}|Not enough left][ of " +
			"{product}]. Choose less, or another store.",
		NL: "[{available|Niets meer|Nog maar één|Nog maar #}|Niet genoeg][ van {product}] op " +
			"voorraad. Kies minder, of een andere winkel.",
		DA: "[{available|Ingen tilbage|Kun én tilbage|Kun # tilbage}|Ikke nok tilbage][ af " +
			"{product}]. Vælg færre eller en anden butik.",
		DE: "[{available|Nichts mehr da|Nur noch eins da|Nur noch # da}|Nicht genug da][ von " +
			"{product}]. Bitte weniger wählen oder eine andere Filiale.",
	}},
	stock.UnknownProduct: {codes.NotFound, 404, map[Lang]string{
		EN: "We do not know this product yet[ ({gtin})]. Scan it again, or ask for help.",
		NL: "Dit product kennen we nog niet[ ({gtin})]. Scan het opnieuw of vraag om hulp.",
		DA: "Vi kender ikke denne vare endnu[ ({gtin})]. Scan den igen, eller bed om hjælp.",
		DE: "Dieses Produkt kennen wir noch nicht[ ({gtin})]. Bitte noch einmal scannen oder " +
			"um Hilfe bitten.",
	}},
	stock.UnknownStore: {codes.NotFound, 404, map[Lang]string{
		EN: "We cannot find this store[ ({store})]. Choose one from the list.",
		NL: "We kunnen deze winkel niet vinden[ ({store})]. Kies er een uit de lijst.",
		DA: "Vi kan ikke finde denne butik[ ({store})]. Vælg en fra listen.",
		DE: "Diese Filiale finden wir nicht[ ({store})]. Bitte eine aus der Liste wählen.",
	}},
	stock.UnknownReservation: {codes.NotFound, 404, map[Lang]string{
		EN: "We cannot find this order. Check the code and try again.",
		NL: "We kunnen deze bestelling niet vinden. Kijk de code na en probeer het opnieuw.",
		DA: "Vi kan ikke finde denne ordre. Tjek koden, og prøv igen.",
		DE: "Diese Bestellung finden wir nicht. Bitte den Code prüfen und noch einmal " +
			"versuchen.",
	}},
	stock.UnknownHold: {codes.NotFound, 404, map[Lang]string{
		EN: "This basket is no longer set aside. Add the products again.",
		NL: "Dit mandje ligt niet meer apart. Voeg de producten opnieuw toe.",
		DA: "Denne kurv er ikke længere lagt til side. Læg varerne i igen.",
		DE: "Dieser Korb ist nicht mehr zurückgelegt. Bitte die Produkte noch einmal " +
			"hinzufügen.",
	}},
	stock.HoldExpired: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "The time to confirm has passed and the products are free again. Reserve them " +
			"again.",
		NL: "De tijd om te bevestigen is voorbij en de producten zijn weer vrij. Reserveer " +
			"ze opnieuw.",
		DA: "Tiden til at bekræfte er gået, og varerne er fri igen. Reservér dem igen.",
		DE: "Die Zeit zum Bestätigen ist um, die Produkte sind wieder frei. Bitte neu " +
			"reservieren.",
	}},
	stock.AlreadyCollected: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "Order[ {code}] was collected already[ ({at})]. Look for another open order by " +
			"name.",
		NL: "Bestelling[ {code}] is al afgehaald[ ({at})]. Zoek op naam naar een andere open " +
			"bestelling.",
		DA: "Ordre[ {code}] er allerede hentet[ ({at})]. Søg på navn efter en anden åben " +
			"ordre.",
		DE: "Bestellung[ {code}] ist schon abgeholt[ ({at})]. Bitte über den Namen nach " +
			"einer anderen offenen suchen.",
	}},
	stock.AlreadyFinished: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "This order is closed[: {state}]. Make a new one if it is still wanted.",
		NL: "Deze bestelling is gesloten[: {state}]. Maak een nieuwe als ze nog gewenst is.",
		DA: "Denne ordre er lukket[: {state}]. Lav en ny, hvis den stadig ønskes.",
		DE: "Diese Bestellung ist abgeschlossen[: {state}]. Bei Bedarf bitte eine neue " +
			"anlegen.",
	}},
	stock.NotReady: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "Not everything in this order is set aside yet. Fetch the rest first.",
		NL: "Nog niet alles van deze bestelling ligt klaar. Haal eerst de rest.",
		DA: "Ikke alt i denne ordre er lagt klar endnu. Hent resten først.",
		DE: "Noch liegt nicht alles für diese Bestellung bereit. Bitte erst den Rest holen.",
	}},
	stock.WrongItem: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "Not this one[: {product}]. [The order needs {wanted}.|Take the one on the list.]",
		NL: "Niet deze[: {product}]. [De bestelling vraagt {wanted}.|Neem die van de lijst.]",
		DA: "Ikke denne[: {product}]. [Ordren skal bruge {wanted}.|Tag den på listen.]",
		DE: "Nicht dieses[: {product}]. [Die Bestellung braucht {wanted}.|Bitte das von der " +
			"Liste nehmen.]",
	}},
	stock.LineComplete: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "[{product} is complete|This one is complete]. Put it back and take the next " +
			"item.",
		NL: "[{product} is compleet|Dit is compleet]. Leg het terug en neem het volgende.",
		DA: "[{product} er komplet|Denne er komplet]. Læg den tilbage, og tag den næste.",
		DE: "[{product} ist vollständig|Das ist vollständig]. Bitte zurücklegen und das " +
			"Nächste nehmen.",
	}},
	stock.WrongState: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "That is not possible now[: {state}]. Open the order to see what comes next.",
		NL: "Dat kan nu niet[: {state}]. Open de bestelling om te zien wat er volgt.",
		DA: "Det kan ikke lade sig gøre nu[: {state}]. Åbn ordren for at se næste skridt.",
		DE: "Das geht jetzt nicht[: {state}]. Bitte die Bestellung öffnen, dort steht der " +
			"nächste Schritt.",
	}},
	stock.WrongStore: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "This code is for another store[: {store}]. The order waits there.",
		NL: "Deze code is voor een andere winkel[: {store}]. Daar ligt de bestelling.",
		DA: "Denne kode er til en anden butik[: {store}]. Ordren venter dér.",
		DE: "Dieser Code gilt für eine andere Filiale[: {store}]. Dort liegt die Bestellung.",
	}},
	stock.BadSignature: {codes.PermissionDenied, 403, map[Lang]string{
		EN: "This is not a pickup code of ours. Use the code from the message, or look the " +
			"order up by name.",
		NL: "Dit is geen afhaalcode van ons. Gebruik de code uit het bericht of zoek de " +
			"bestelling op naam.",
		DA: "Dette er ikke en af vores afhentningskoder. Brug koden fra beskeden, eller søg " +
			"på navn.",
		DE: "Das ist kein Abholcode von uns. Bitte den Code aus der Nachricht nehmen oder " +
			"über den Namen suchen.",
	}},
	stock.UnknownKey: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "This code cannot be checked here yet. Look the order up by name, or ask a " +
			"manager.",
		NL: "Deze code kan hier nog niet worden nagekeken. Zoek de bestelling op naam of " +
			"vraag een leidinggevende.",
		DA: "Koden kan ikke tjekkes her endnu. Søg ordren på navn, eller spørg en leder.",
		DE: "Dieser Code lässt sich hier noch nicht prüfen. Bitte über den Namen suchen oder " +
			"die Leitung fragen.",
	}},
	stock.BadCheckDigit: {codes.InvalidArgument, 400, map[Lang]string{
		EN: "One digit of this number is not right[ ({code})]. Scan it again, or type it " +
			"from the label.",
		NL: "Een cijfer van dit nummer klopt niet[ ({code})]. Scan opnieuw of typ het over " +
			"van het etiket.",
		DA: "Et ciffer i dette nummer passer ikke[ ({code})]. Scan igen, eller tast det fra " +
			"etiketten.",
		DE: "Eine Ziffer dieser Nummer stimmt nicht[ ({code})]. Bitte neu scannen oder vom " +
			"Etikett abtippen.",
	}},
	stock.Unreadable: {codes.InvalidArgument, 400, map[Lang]string{
		EN: "That could not be read. Hold the code flat and scan it again.",
		NL: "Dat was niet te lezen. Houd de code vlak en scan opnieuw.",
		DA: "Det kunne ikke læses. Hold koden fladt, og scan igen.",
		DE: "Das war nicht lesbar. Bitte den Code flach halten und neu scannen.",
	}},
	stock.UnsupportedCode: {codes.InvalidArgument, 400, map[Lang]string{
		EN: "[This is {kind}, not a product|This code is not a product]. Scan the barcode of " +
			"the product itself.",
		NL: "[Dit is {kind}, geen product|Deze code is geen product]. Scan de streepjescode " +
			"van het product zelf.",
		DA: "[Dette er {kind}, ikke en vare|Denne kode er ikke en vare]. Scan stregkoden på " +
			"selve varen.",
		DE: "[Das ist {kind}, kein Produkt|Dieser Code ist kein Produkt]. Bitte den " +
			"Strichcode des Produkts selbst scannen.",
	}},
	stock.IDReused: {codes.AlreadyExists, 409, map[Lang]string{
		EN: "This was sent before with other contents. Start again from the beginning.",
		NL: "Dit is al eerder verstuurd met een andere inhoud. Begin opnieuw.",
		DA: "Dette er sendt før med et andet indhold. Begynd forfra.",
		DE: "Das wurde schon mit anderem Inhalt gesendet. Bitte von vorn beginnen.",
	}},
	stock.ManagerNeeded: {codes.PermissionDenied, 403, map[Lang]string{
		EN: "A manager decides this. Ask one to sign in here.",
		NL: "Hierover beslist een leidinggevende. Vraag er een om hier in te loggen.",
		DA: "Det bestemmer en leder. Bed en om at logge ind her.",
		DE: "Das entscheidet die Leitung. Bitte dort jemanden hier anmelden lassen.",
	}},
	stock.NotSignedIn: {codes.Unauthenticated, 401, map[Lang]string{
		EN: "Nobody is signed in here. Sign in first.",
		NL: "Hier is niemand ingelogd. Log eerst in.",
		DA: "Ingen er logget ind her. Log ind først.",
		DE: "Hier ist niemand angemeldet. Bitte zuerst anmelden.",
	}},
	stock.WrongPIN: {codes.Unauthenticated, 401, map[Lang]string{
		EN: "That PIN is not right. [{left|Wait a while, then try again|Try again; one " +
			"try left|Try again; # tries left}|Try again].",
		NL: "Deze pincode klopt niet. [{left|Wacht even en probeer het dan " +
			"opnieuw|Probeer opnieuw; nog één poging|Probeer opnieuw; nog # " +
			"pogingen}|Probeer opnieuw].",
		DA: "Den pinkode passer ikke. [{left|Vent lidt, og prøv så igen|Prøv igen; ét " +
			"forsøg tilbage|Prøv igen; # forsøg tilbage}|Prøv igen].",
		DE: "Diese PIN stimmt nicht. [{left|Bitte etwas warten und dann neu " +
			"versuchen|Bitte neu versuchen; noch ein Versuch|Bitte neu versuchen; noch # " +
			"Versuche}|Bitte neu versuchen].",
	}},
	stock.Locked: {codes.ResourceExhausted, 429, map[Lang]string{
		EN: "Too many wrong PINs: locked for a while[, until {until}]. Try again then, or ask " +
			"a manager.",
		NL: "Te veel verkeerde pincodes: een poos geblokkeerd[, tot {until}]. Probeer het " +
			"daarna opnieuw of vraag een leidinggevende.",
		DA: "For mange forkerte pinkoder: låst et stykke tid[, til {until}]. Prøv igen " +
			"bagefter, eller spørg en leder.",
		DE: "Zu viele falsche PINs: für eine Weile gesperrt[, bis {until}]. Bitte danach neu " +
			"versuchen oder die Leitung fragen.",
	}},
	stock.PromisedOnline: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "[{promised|One is promised to a customer online|# are promised to customers " +
			"online}|This one is promised to a customer online]. Leave it for them, or ask a " +
			"manager.",
		NL: "[{promised|Er is er één online aan een klant beloofd|Er zijn er # online aan " +
			"klanten beloofd}|Deze is online aan een klant beloofd]. Laat het voor die klant " +
			"liggen of vraag een leidinggevende.",
		DA: "[{promised|Én er lovet til en kunde online|# er lovet til kunder online}|Denne " +
			"er lovet til en kunde online]. Lad den ligge, eller spørg en leder.",
		DE: "[{promised|Eins ist online einem Kunden versprochen|# sind online Kunden " +
			"versprochen}|Dieses ist online einem Kunden versprochen]. Bitte liegen lassen " +
			"oder die Leitung fragen.",
	}},
	stock.NoPrice: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "[{product}|This product] has no price here yet. Set it aside and ask for the " +
			"price.",
		NL: "[{product}|Dit product] heeft hier nog geen prijs. Leg het apart en vraag naar " +
			"de prijs.",
		DA: "[{product}|Denne vare] har ingen pris her endnu. Læg den til side, og spørg om " +
			"prisen.",
		DE: "[{product}|Dieses Produkt] hat hier noch keinen Preis. Bitte zur Seite legen " +
			"und nach dem Preis fragen.",
	}},
	stock.NeedWeight: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "[{product}|This product] is sold by weight. Put it on the scale.",
		NL: "[{product}|Dit product] gaat per gewicht. Leg het op de weegschaal.",
		DA: "[{product}|Denne vare] sælges efter vægt. Læg den på vægten.",
		DE: "[{product}|Dieses Produkt] wird nach Gewicht verkauft. Bitte auf die Waage " +
			"legen.",
	}},
	stock.JoinUsed: {codes.PermissionDenied, 403, map[Lang]string{
		EN: "This join code has been used. Make a new one at head office.",
		NL: "Deze koppelcode is al gebruikt. Maak een nieuwe op het hoofdkantoor.",
		DA: "Denne tilslutningskode er brugt. Lav en ny på hovedkontoret.",
		DE: "Dieser Beitrittscode ist schon verwendet. Bitte in der Zentrale einen neuen " +
			"erstellen.",
	}},
	stock.JoinUnknown: {codes.PermissionDenied, 403, map[Lang]string{
		EN: "This join code is not known, or its time is over. Make a new one at head office.",
		NL: "Deze koppelcode is niet bekend of verlopen. Maak een nieuwe op het hoofdkantoor.",
		DA: "Denne tilslutningskode er ukendt eller udløbet. Lav en ny på hovedkontoret.",
		DE: "Dieser Beitrittscode ist unbekannt oder abgelaufen. Bitte in der Zentrale einen " +
			"neuen erstellen.",
	}},
	stock.CAMismatch: {codes.PermissionDenied, 403, map[Lang]string{
		EN: "This is not the head office that the join code is from. Check the address, then " +
			"use a new code.",
		NL: "Dit is niet het hoofdkantoor waar de koppelcode vandaan komt. Kijk het adres na " +
			"en gebruik een nieuwe code.",
		DA: "Dette er ikke det hovedkontor, koden kommer fra. Tjek adressen, og brug en ny " +
			"kode.",
		DE: "Das ist nicht die Zentrale, von der der Beitrittscode stammt. Bitte die Adresse " +
			"prüfen und einen neuen Code nehmen.",
	}},
	stock.Fenced: {codes.Aborted, 409, map[Lang]string{
		EN: "Another device works for this store now. Use that one, or connect this one anew.",
		NL: "Een ander apparaat werkt nu voor deze winkel. Gebruik dat, of koppel dit " +
			"opnieuw.",
		DA: "En anden enhed arbejder nu for denne butik. Brug den, eller tilslut denne igen.",
		DE: "Ein anderes Gerät arbeitet jetzt für diese Filiale. Bitte jenes benutzen oder " +
			"dieses neu verbinden.",
	}},
	stock.Forked: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "This store's books exist in two versions. Keep working here and call support.",
		NL: "De boeken van deze winkel bestaan in twee versies. Werk hier door en bel de " +
			"helpdesk.",
		DA: "Butikkens bøger findes i to udgaver. Arbejd videre her, og ring til support.",
		DE: "Die Bücher dieser Filiale gibt es in zwei Fassungen. Bitte hier weiterarbeiten " +
			"und den Support anrufen.",
	}},
	stock.RolledBack: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "This device has an older copy of the store's books. Keep working here and call " +
			"support.",
		NL: "Dit apparaat heeft een oudere kopie van de boeken van de winkel. Werk hier door " +
			"en bel de helpdesk.",
		DA: "Denne enhed har en ældre kopi af butikkens bøger. Arbejd videre her, og ring " +
			"til support.",
		DE: "Dieses Gerät hat einen älteren Stand der Bücher. Bitte hier weiterarbeiten und " +
			"den Support anrufen.",
	}},
	stock.TooOld: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "This software is too old to connect. Update it, then connect again.",
		NL: "Deze software is te oud om te verbinden. Werk haar bij en verbind dan opnieuw.",
		DA: "Programmet er for gammelt til at forbinde. Opdatér det, og forbind igen.",
		DE: "Diese Software ist zu alt für die Verbindung. Bitte aktualisieren und neu " +
			"verbinden.",
	}},
	stock.Busy: {codes.Unavailable, 503, map[Lang]string{
		EN: "It is very busy just now. Try again [in {wait}|in a moment].",
		NL: "Het is nu erg druk. Probeer het [over {wait}|zo dadelijk] opnieuw.",
		DA: "Der er meget travlt lige nu. Prøv igen [om {wait}|om lidt].",
		DE: "Gerade ist sehr viel los. Bitte [in {wait}|gleich] noch einmal versuchen.",
	}},
	stock.Offline: {codes.Unavailable, 503, map[Lang]string{
		EN: "The store cannot be reached now[ (since {since})]. Try again later, or choose " +
			"another store.",
		NL: "De winkel is nu niet bereikbaar[ (sinds {since})]. Probeer het later opnieuw of " +
			"kies een andere winkel.",
		DA: "Butikken kan ikke nås lige nu[ (siden {since})]. Prøv igen senere, eller vælg " +
			"en anden butik.",
		DE: "Die Filiale ist gerade nicht erreichbar[ (seit {since})]. Bitte später neu " +
			"versuchen oder eine andere wählen.",
	}},
	stock.RateLimited: {codes.ResourceExhausted, 429, map[Lang]string{
		EN: "That was a lot at once. Try again [in {wait}|in a moment].",
		NL: "Dat was veel tegelijk. Probeer het [over {wait}|zo dadelijk] opnieuw.",
		DA: "Det var meget på én gang. Prøv igen [om {wait}|om lidt].",
		DE: "Das war viel auf einmal. Bitte [in {wait}|gleich] noch einmal versuchen.",
	}},
	stock.TooMany: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "[At most {limit} are possible|That is more than is possible]. Take fewer, or " +
			"finish something first.",
		NL: "[Er zijn er hoogstens {limit} mogelijk|Dat is meer dan mogelijk is]. Neem er " +
			"minder of rond eerst iets af.",
		DA: "[Højst {limit} er muligt|Det er flere, end der er plads til]. Tag færre, eller " +
			"gør noget færdigt først.",
		DE: "[Höchstens {limit} sind möglich|Das sind mehr als möglich]. Bitte weniger " +
			"nehmen oder erst etwas abschließen.",
	}},
	stock.DocumentUsed: {codes.AlreadyExists, 409, map[Lang]string{
		EN: "Delivery[ {document}] is booked already. Check the delivery note, or take the " +
			"next one.",
		NL: "Levering[ {document}] is al geboekt. Kijk de pakbon na of neem de volgende.",
		DA: "Levering[ {document}] er allerede bogført. Tjek følgesedlen, eller tag den " +
			"næste.",
		DE: "Lieferung[ {document}] ist schon gebucht. Bitte den Lieferschein prüfen oder " +
			"den nächsten nehmen.",
	}},
	stock.FeatureRefused: {codes.Unimplemented, 501, map[Lang]string{
		EN: "This version cannot do that yet[: {what}]. Update it, then try again.",
		NL: "Deze versie kan dat nog niet[: {what}]. Werk haar bij en probeer het opnieuw.",
		DA: "Denne version kan det ikke endnu[: {what}]. Opdatér den, og prøv igen.",
		DE: "Diese Version kann das noch nicht[: {what}]. Bitte aktualisieren und neu " +
			"versuchen.",
	}},
	stock.NotTrusted: {codes.PermissionDenied, 403, map[Lang]string{
		EN: "This device may not do that. Ask head office to allow it.",
		NL: "Dit apparaat mag dat niet. Vraag het hoofdkantoor om toestemming.",
		DA: "Denne enhed må ikke gøre det. Bed hovedkontoret om adgang.",
		DE: "Dieses Gerät darf das nicht. Bitte die Zentrale um Freigabe bitten.",
	}},
	stock.ClockNotTrusted: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "The clock of this device may be wrong. Set the time, then try again.",
		NL: "De klok van dit apparaat loopt misschien niet goed. Zet de tijd goed en probeer " +
			"het opnieuw.",
		DA: "Uret i denne enhed går måske forkert. Stil tiden, og prøv igen.",
		DE: "Die Uhr dieses Geräts geht vielleicht falsch. Bitte die Zeit stellen und neu " +
			"versuchen.",
	}},
	stock.NeedPIN: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "This order has a PIN. Ask the shopper for it.",
		NL: "Deze bestelling heeft een pincode. Vraag de klant erom.",
		DA: "Denne ordre har en pinkode. Spørg kunden om den.",
		DE: "Diese Bestellung hat eine PIN. Bitte die Kundin oder den Kunden danach fragen.",
	}},
	stock.Frozen: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "Head office was restored and has to admit this store's node first. Selling goes on; " +
			"please call head office.",
		NL: "Het hoofdkantoor is hersteld en moet deze winkel eerst toelaten. Verkopen gaat door; " +
			"bel het hoofdkantoor.",
		DA: "Hovedkontoret er gendannet og skal først godkende butikken. Salget fortsætter; ring til " +
			"hovedkontoret.",
		DE: "Die Zentrale wurde wiederhergestellt und muss diese Filiale erst zulassen. Der Verkauf " +
			"läuft weiter; bitte die Zentrale anrufen.",
	}},
	stock.PrinterDown: {codes.Unavailable, 503, map[Lang]string{
		EN: "The printer does not print[: {state}]. Check paper, cover and cable, then print " +
			"again.",
		NL: "De printer print niet[: {state}]. Kijk naar papier, klep en kabel en print dan " +
			"opnieuw.",
		DA: "Printeren skriver ikke ud[: {state}]. Tjek papir, låg og kabel, og udskriv igen.",
		DE: "Der Drucker druckt nicht[: {state}]. Bitte Papier, Deckel und Kabel prüfen und " +
			"neu drucken.",
	}},
	stock.ScaleDown: {codes.Unavailable, 503, map[Lang]string{
		EN: "The scale gave no weight[: {state}]. See to it and weigh again, or type the weight.",
		NL: "De weegschaal gaf geen gewicht[: {state}]. Kijk ernaar en weeg opnieuw, of typ het " +
			"gewicht.",
		DA: "Vægten gav ingen vægt[: {state}]. Se efter den, og vej igen, eller tast vægten.",
		DE: "Die Waage gab kein Gewicht[: {state}]. Bitte nachsehen und neu wiegen oder das " +
			"Gewicht eintippen.",
	}},
	stock.LockerDown: {codes.Unavailable, 503, map[Lang]string{
		EN: "Compartment[ {shelf}] did not open for sure[: {state}]. Nothing was booked. Look at " +
			"its door and try again, or call staff.",
		NL: "Vak[ {shelf}] ging niet zeker open[: {state}]. Er is niets geboekt. Kijk naar de " +
			"deur en probeer het opnieuw, of roep het personeel.",
		DA: "Boks[ {shelf}] gik ikke med sikkerhed op[: {state}]. Intet er bogført. Se på lågen, og " +
			"prøv igen, eller tilkald personalet.",
		DE: "Schließfach[ {shelf}] ging nicht sicher auf[: {state}]. Nichts wurde gebucht. Bitte die Tür " +
			"ansehen und neu versuchen oder das Personal rufen.",
	}},
	stock.ShelfTaken: {codes.FailedPrecondition, 409, map[Lang]string{
		EN: "[Compartment {shelf} is taken|No compartment is free]. Choose another one, or a shelf.",
		NL: "[Vak {shelf} is bezet|Er is geen vak vrij]. Kies een ander vak, of een schap.",
		DA: "[Boks {shelf} er optaget|Ingen boks er ledig]. Vælg en anden, eller en hylde.",
		DE: "[Schließfach {shelf} ist belegt|Kein Schließfach ist frei]. Bitte ein anderes oder ein " +
			"Regal wählen.",
	}},
	stock.NoRoom: {codes.Unavailable, 503, map[Lang]string{
		EN: "Nothing new can be reserved just now. What is reserved stays reserved. Try again later.",
		NL: "Er kan nu niets nieuws worden gereserveerd. Wat gereserveerd is, blijft gereserveerd. " +
			"Probeer het later opnieuw.",
		DA: "Der kan ikke reserveres noget nyt lige nu. Det, der er reserveret, er fortsat " +
			"reserveret. Prøv igen senere.",
		DE: "Gerade kann nichts Neues reserviert werden. Was reserviert ist, bleibt reserviert. " +
			"Bitte später noch einmal versuchen.",
	}},
}
